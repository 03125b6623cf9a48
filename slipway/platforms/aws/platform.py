"""Platform `aws`, behind the interface."""

import shutil
from collections.abc import Iterable, Mapping
from typing import NoReturn

from slipway.platforms.aws import examined
from slipway.platforms.aws.alarms import silent_alarms, try_to_turn_on_alarms
from slipway.platforms.aws.open import builds_bucket, cloud_of, open_outputs, with_hosts
from slipway.platforms.aws.secrets_manager import AwsStore, write_boot_documents
from slipway.platforms.aws.session import check_account, names_of, session_for, session_of
from slipway.platforms.aws.snapshots import delete_all, snapshot
from slipway.platforms.aws.tunnel import PLUGIN, find_plugin
from slipway.platforms.platform import (
    Bootstrapped,
    Diagnosis,
    Examination,
    Images,
    LogSearch,
    Opened,
    fail,
    ok,
    warn,
)
from slipway.platforms.pulumi import PulumiManaged, refuse_missing
from slipway.progress import Progress
from slipway.secrets.store import SecretStore
from slipway.settings import BadInput, Outputs, Project, Role
from slipway.storage.bucket import Bucket


class AwsPlatform(PulumiManaged):
    """Hosts in Auto Scaling groups behind a load balancer, and AWS's data services; Pulumi makes them all."""

    hosts_come_and_go = True

    def bring_up(self, progress: Progress, *, break_lock: str = "") -> Outputs:
        """Account, provision, secrets, kits, hosts, set-up, data, health."""
        from slipway.platforms.aws.up import up  # noqa: PLC0415

        return up(self.project, self.secret_store(), progress, break_lock=break_lock)

    def bootstrap(self, progress: Progress) -> Bootstrapped:
        """State bucket, key, linked roles, GitHub's provider and role, requests for quotas."""
        from slipway.platforms.aws.bootstrap import bootstrap  # noqa: PLC0415

        return bootstrap(self.project, progress)

    def take_down(self, progress: Progress, *, volumes: bool) -> None:
        """Everything of a stack that is not production, its data too; production is refused."""
        if self.project.stack.purpose == "production":
            raise BadInput(
                f"stack {self.project.stack.name} is production: slipway never deletes it",
                remedy="take its protections away in an update of their own, then: pulumi destroy",
            )
        if not volumes:
            raise BadInput(
                f"`down` of {self.project.stack.name} deletes its data too: database, buckets, secrets",
                remedy=f"slipway down --stack {self.project.stack.name} --volumes",
            )
        check_account(session_of(self.project), self.project.stack)
        refuse_missing()
        from slipway.platforms.pulumi.up import destroy  # noqa: PLC0415 - pulumi takes 0.4 s

        destroy(self.project, progress)
        names = names_of(self.project.stack)
        session_of(self.project).call("ssm", "delete_parameters", Names=[names.setup_parameter])
        delete_all(session_of(self.project), names.fleet, progress)
        from slipway.platforms.aws.images import Images as Baked  # noqa: PLC0415 - it imports pyinfra

        Baked(self.project).delete_all(progress)

    def open(self) -> Opened:
        """The outputs that Pulumi wrote, and the members of the Auto Scaling groups."""
        return open_outputs(self.project)

    def rediscover(self, outputs: Outputs) -> Opened:
        """The members of the Auto Scaling groups at this moment."""
        return with_hosts(self.project, outputs)

    def secret_store(self) -> SecretStore:
        """One secret of Secrets Manager."""
        stack = self.project.stack
        return AwsStore(session_of(self.project), names_of(stack).app_secret, stack.name)

    def shared_secrets(self) -> NoReturn:
        """Refused: IAM grants access."""
        raise BadInput(
            f"the secrets of {self.project.stack.name} are in AWS Secrets Manager, where IAM grants access",
            remedy="give the person a role that may read them (docs/aws.md)",
        )

    def access(self) -> NoReturn:
        """Who may sign in is a matter of IAM."""
        self._refuse(
            "people and CI sign in by their AWS identity, for one session, and hosts keep no key",
            "give or take ssm:StartSession and ec2-instance-connect:SendSSHPublicKey (docs/access.md)",
        )

    def opens_secrets_for(self, other: Project) -> bool:
        """Only for stacks of the same account, whose commands have its credentials anyway."""
        mine, theirs = self.project.stack.aws, other.stack.aws
        return mine is not None and theirs is not None and mine.account == theirs.account

    def builds_bucket(self, outputs: Outputs) -> Bucket:
        """Reached directly, with the session's credentials."""
        return builds_bucket(session_of(self.project), outputs)

    def setup_digests(self, outputs: Outputs, secrets: Mapping[str, str]) -> dict[str, str]:
        """The digests of the kits by which hosts set themselves up."""
        from slipway.platforms.aws.kits import setup_digests  # noqa: PLC0415

        return setup_digests(self.project, outputs, secrets)

    def write_boot_documents(
        self, outputs: Outputs, documents: Mapping[Role, str], order: tuple[int, int]
    ) -> None:
        """A secret for each role, which a new host reads. From the first one on, alarms notify."""
        session = session_of(self.project)
        write_boot_documents(session, cloud_of(outputs), documents, order)
        if documents:
            try_to_turn_on_alarms(session, names_of(self.project.stack).fleet)

    def kept_logs(self, search: LogSearch) -> Iterable[tuple[str, str]]:
        """What hosts have sent to CloudWatch Logs, until the stack's `load_balancer.log_days` are over."""
        from slipway.platforms.aws.logs import kept_logs  # noqa: PLC0415

        return kept_logs(session_of(self.project), names_of(self.project.stack), search)

    def snapshot_database(self, outputs: Outputs, progress: Progress) -> dict[str, object] | None:
        """A snapshot of the RDS instance."""
        database = cloud_of(outputs).database
        return snapshot(session_of(self.project), database, progress) if database else None

    def images(self) -> Images:
        """Images in EC2, baked by the kits."""
        from slipway.platforms.aws.images import Images as Baked  # noqa: PLC0415 - it imports pyinfra

        return Baked(self.project)

    def preview_server(self, outputs: Outputs) -> dict[str, str] | None:
        """The RDS instance, as the role that makes their databases."""
        from slipway.platforms.aws.data_logins import previews_server  # noqa: PLC0415

        if outputs.database is None:
            return None
        return previews_server(outputs.database.name, cloud_of(outputs).database_host, self.secrets)

    def preview_prefix(self, name: str) -> str:
        """Below the prefix that hosts may use."""
        aws = self.project.stack.aws
        return f"{aws.buckets.uploads_prefix}{name}/" if aws else ""

    def renewal(self, outputs: Outputs) -> str:
        """AWS Certificate Manager renews it."""
        del outputs
        return "AWS renews it by itself, as long as the DNS record that proved it is there (docs/aws.md)"

    def examinations(self) -> tuple[Examination, ...]:
        """Credentials, and the programs that reach hosts and provision."""
        return (self.credentials, self.processors, self.alarms, self.logs, self.mail, self.budget, programs)

    def credentials(self) -> Iterable[Diagnosis]:
        """There are credentials, and they are of the stack's account."""
        check_account(session_of(self.project), self.project.stack)
        account = self.project.stack.aws.account if self.project.stack.aws else ""
        yield ok(f"AWS credentials are of account {account}, as the settings say")

    def processors(self) -> Iterable[Diagnosis]:
        """Hosts can run what this machine builds."""
        return examined.processors(self.project.stack.aws) if self.project.stack.aws else ()

    def alarms(self) -> Iterable[Diagnosis]:
        """The alarms notify; before the first release they are silent."""
        silent = silent_alarms(session_of(self.project), names_of(self.project.stack).fleet)
        if silent:
            yield warn(
                f"{len(silent)} alarms notify no one: {', '.join(silent[:3])}",
                "the first release turns them on; after it: slipway up",
            )
        else:
            yield ok("every alarm notifies")

    def logs(self) -> Iterable[Diagnosis]:
        """Hosts send their logs."""
        return examined.logs(session_of(self.project), names_of(self.project.stack))

    def mail(self) -> Iterable[Diagnosis]:
        """SES sends, and the domain is proved to it."""
        if self.project.stack.aws:
            yield from examined.mail(session_of(self.project), self.project.stack.aws)

    def budget(self) -> Iterable[Diagnosis]:
        """The budget counts what the stack costs."""
        if self.project.stack.aws:
            billing = session_for(examined.BILLING, self.project.stack.aws.profile)
            yield from examined.budget(billing, self.project.stack.aws)


def programs() -> Iterable[Diagnosis]:
    """The plugin reaches hosts, pulumi provisions, the aws command line signs in."""
    try:
        yield ok(f"{PLUGIN} {find_plugin()} is installed")
    except BadInput as problem:
        yield fail(problem.message, problem.remedy)
    if shutil.which("pulumi"):
        yield ok("pulumi is on PATH")
    else:
        yield warn(
            "pulumi is not on PATH: `slipway up` cannot change what exists, only set up what is there",
            "https://www.pulumi.com/docs/install/",
        )
    if shutil.which("aws") is None:
        yield warn("the aws command line is not on PATH: no `aws sso login` here", "pipx install awscli")

"""Platform `servers`, behind the interface."""

from collections.abc import Iterable, Mapping

from hosts.plan import FleetPlan
from slipway.fleet.fleet import Fleet, answers
from slipway.platforms.own_hosts import OwnHosts
from slipway.platforms.platform import Diagnosis, Examination, Opened, ok, warn
from slipway.platforms.servers.outputs import open_outputs, secrets_file, site_names
from slipway.progress import Progress
from slipway.secrets.age_store import AgeStore
from slipway.secrets.store import ACME_CLOUDFLARE_TOKEN, SITE_CERTIFICATE
from slipway.settings import BadInput, Outputs


class ServersPlatform(OwnHosts):
    """Debian machines that someone else provides; slipway sets them up and never creates or deletes one."""

    def secret_store(self) -> AgeStore:
        """Beside Pulumi.yaml, to be committed."""
        return AgeStore(secrets_file(self.project), self.identity)

    def bring_up(self, progress: Progress, *, break_lock: str = "") -> Outputs:
        """Reach, secrets, set-up, health. Minutes on new servers, seconds later."""
        if break_lock:
            self._refuse_break_lock(break_lock)
        from slipway.platforms.servers.up import up  # noqa: PLC0415

        return up(self.project, self.secret_store(), progress)

    def open(self) -> Opened:
        """The outputs follow from the settings; the secret store says whether the stack was brought up."""
        return Opened(open_outputs(self.project, self.secrets))

    def fleet_plan(self, outputs: Outputs, secrets: Mapping[str, str]) -> FleetPlan:
        """The certificates are those of the secret store."""
        from slipway.platforms.servers.up import fleet_plan  # noqa: PLC0415

        return fleet_plan(self.project, outputs, secrets)

    def examinations(self) -> tuple[Examination, ...]:
        """The age key, and the certificates by which the fleet's services know each other."""
        issue = (self.issue,) if self.project.stack.acme else ()
        return (*super().examinations(), self.certificates, *issue)

    def issue(self) -> Iterable[Diagnosis]:
        """Every edge has a certificate by ACME, or says why not."""
        from slipway.platforms.servers.certificates import about_issue, dns_token  # noqa: PLC0415 - slow to import

        try:
            if self.secrets.get(SITE_CERTIFICATE):
                yield ok(f"{SITE_CERTIFICATE} is served, so slipway:acme asks for none")
                return
            secrets = self.secrets
        except BadInput:
            return  # what is wrong with the age key is said of it
        dns_token(self.project, secrets)
        try:
            fleet = Fleet(self.open().outputs)
        except BadInput:
            return  # what is wrong with the age key, or that the stack is not up, is said of it
        edges = fleet.by_role("edge")
        found, failed = answers(lambda: fleet.each(edges, lambda host: host.agent.certificate()))
        for name, error in failed.items():
            renew = f"slipway up --stack {self.project.stack.name}"
            yield warn(f"{name} cannot say how it gets its certificate: {error}", renew)
        for name, each in found.items():
            good, what, remedy = about_issue(name, each)
            yield ok(what) if good else warn(what, remedy)

    def certificates(self) -> Iterable[Diagnosis]:
        """The fleet's own certificates are good for a while."""
        from slipway.platforms.servers.certificates import ending  # noqa: PLC0415 - cryptography is slow to import

        try:
            soon = ending(self.secrets)
        except BadInput:
            return  # what is wrong with the age key is said of it
        for entry, days in soon.items():
            what = f"{entry} ends in {days} days" if days >= 0 else f"{entry} has ended"
            yield warn(what, f"slipway up --stack {self.project.stack.name} renews it")
        if not soon:
            yield ok("the fleet's own certificates are good for a month at least")

    def check_secret(self, name: str, value: str) -> list[str]:
        """The site's certificate must fit the site."""
        if name != SITE_CERTIFICATE:
            return []
        from slipway.platforms.servers.certificates import judge  # noqa: PLC0415 - cryptography is slow to import

        return judge(value, site_names(self.project.stack), self.project.stack.name).warnings()

    def takes_effect(self, name: str) -> str:
        """The edge gets the site's certificate, and what proves its names, from `up`."""
        if name not in (SITE_CERTIFICATE, ACME_CLOUDFLARE_TOKEN):
            return super().takes_effect(name)
        return f"the edge uses it after `slipway up --stack {self.project.stack.name}`"

    def renewal(self, outputs: Outputs) -> str:
        """A certificate in the store is renewed by a person."""
        if self.secrets.get(SITE_CERTIFICATE):
            replace = f"slipway secrets set {SITE_CERTIFICATE} --stack {outputs.stack} < site.pem"
            return f"{replace}, then slipway up --stack {outputs.stack}"
        if self.project.stack.acme:
            return f"slipway doctor --stack {outputs.stack} says why the edge could not renew it"
        return super().renewal(outputs)

"""Platforms `local` and `servers` share this: pyinfra sets hosts up over ssh; secrets are in an age file."""

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from functools import cached_property

from hosts.plan import FleetPlan
from slipway.platforms.platform import Diagnosis, Examination, Platform, fail, ok, warn
from slipway.secrets.age_store import AgeStore, Identity
from slipway.settings import BadInput, Outputs


class OwnHosts(Platform):
    """A platform whose data services run on a host of the fleet."""

    @abstractmethod
    def secret_store(self) -> AgeStore:
        """The stack's age-encrypted file; touches nothing before the first read or write."""

    @abstractmethod
    def fleet_plan(self, outputs: Outputs, secrets: Mapping[str, str]) -> FleetPlan:
        """What the hosts are set up with."""

    @cached_property
    def identity(self) -> Identity:
        """The age key of this person or CI job."""
        return Identity.of_stack(self.project.stack)

    def shared_secrets(self) -> AgeStore:
        """The encrypted file, which holds its recipients."""
        return self.secret_store()

    def setup_digests(self, outputs: Outputs, secrets: Mapping[str, str]) -> dict[str, str]:
        """The digests of what pyinfra would place on each host."""
        from hosts.digest import setup_digests  # noqa: PLC0415 - pyinfra takes long to import

        return setup_digests(self.fleet_plan(outputs, secrets))

    def renewal(self, outputs: Outputs) -> str:
        """`up` renews what the fleet's own authority signed."""
        return f"slipway up --stack {outputs.stack} renews it"

    def examinations(self) -> tuple[Examination, ...]:
        """What must be right for the stack's secrets to be opened here."""
        return (self.age_key,)

    def age_key(self) -> Iterable[Diagnosis]:
        """The stack's secrets can be opened here."""
        identity = self.identity
        try:
            identity.keys()
        except BadInput as problem:
            if identity.may_create and identity.file is not None and not identity.file.exists():
                yield warn(
                    f"there is no age key yet in {identity.where}",
                    f"`slipway secrets generate --stack {self.project.stack.name}` makes one",
                )
            else:
                yield fail(problem.message, problem.remedy)
            return
        if identity.file is not None and identity.file.stat().st_mode & 0o077:
            yield warn(f"others may read {identity.where}", f"chmod 600 {identity.file}")
        yield ok(f"the age key in {identity.where} is good")

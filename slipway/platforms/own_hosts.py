"""Platforms `local` and `servers` share this: pyinfra sets hosts up over ssh; secrets are in an age file."""

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from hosts.inventory.parts import FOREIGN, Deviation, Inventory
from hosts.plan import FleetPlan
from slipway.platforms import state_folder
from slipway.platforms.platform import (
    SEVERITIES,
    Diagnosis,
    Difference,
    Examination,
    Platform,
    fail,
    ok,
    warn,
)
from slipway.progress import Progress
from slipway.secrets.age_store import AgeStore, Identity
from slipway.settings import BadInput, Host, Outputs

if TYPE_CHECKING:
    from slipway.platforms.access import Access  # it imports pyinfra


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

    def access(self) -> "Access":
        """Keys are grants in the encrypted file; they are placed over ssh."""
        from slipway.platforms.access import Access  # noqa: PLC0415 - few commands need it

        return Access(self.secret_store(), lambda secrets: self.fleet_plan(self.open().outputs, secrets))

    def setup_digests(self, outputs: Outputs, secrets: Mapping[str, str]) -> dict[str, str]:
        """The digests of what pyinfra would place on each host."""
        return self.set_ups(outputs, secrets)[0]

    def set_ups(
        self, outputs: Outputs, secrets: Mapping[str, str]
    ) -> tuple[dict[str, str], dict[str, Inventory]]:
        """Digests and inventories from one dry run of each host."""
        from hosts.inventory.expected import set_ups  # noqa: PLC0415 - pyinfra takes long to import

        beside = {host.name: self.beside_the_set_up(host) for host in outputs.hosts}
        return set_ups(self.fleet_plan(outputs, secrets), beside)

    def beside_the_set_up(self, host: Host) -> Mapping[str, Any]:
        """What belongs on `host` although the set-up does not place it: see `hosts.inventory.expected`."""
        del host
        return {}

    def drift(self, progress: Progress) -> list[Difference]:
        """What differs from the hosts' inventories, the worst first."""
        from hosts.inventory.look import look_at_all  # noqa: PLC0415 - slow to import, and a rollback needs none

        outputs = self.open().outputs
        _, inventories = state_folder.set_ups(self.project, outputs, self.secrets)
        with progress.phase("hosts"):
            found, failed = look_at_all(outputs, inventories)
        differences = [
            Difference(each.severity, "", each.host, each.topic, each.what, each.was, each.found, _why(each))
            for several in found.values()
            for each in several
            if each.topic != "disk"  # it fills by itself
        ]
        differences += [
            Difference("high", "", name, "host", "", "answers", "does not answer", error.message)
            for name, error in failed.items()
        ]
        return sorted(differences, key=lambda each: (SEVERITIES.index(each.severity), each.name, each.type))

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


def _why(each: Deviation) -> str:
    if each.repaired:
        return "slipway up repairs it"
    return "a person has to remove it" if each.was == FOREIGN else "a person has to change it back"

"""Platform `local`, behind the interface."""

from collections.abc import Iterable, Mapping

from hosts.plan import FleetPlan
from slipway.platforms.local.docker import docker
from slipway.platforms.local.network import examine_ports
from slipway.platforms.own_hosts import OwnHosts
from slipway.platforms.platform import Diagnosis, Examination, Opened
from slipway.platforms.pulumi import PulumiManaged
from slipway.progress import Progress
from slipway.secrets.age_store import AgeStore
from slipway.settings import OUTPUTS_FILE, BadInput, Outputs


class LocalPlatform(PulumiManaged, OwnHosts):
    """A fleet of systemd hosts on this machine, run as Docker containers."""

    def bring_up(self, progress: Progress, *, break_lock: str = "") -> Outputs:
        """Docker, images, containers, set-up, health. Minutes the first time, seconds later."""
        if break_lock:
            self._refuse_break_lock(break_lock)
        from slipway.platforms.local.up import up  # noqa: PLC0415 - cryptography takes 0.1 s, and open() needs none

        return up(self.project, self.secret_store(), progress)

    def secret_store(self) -> AgeStore:
        """In the state folder: a local fleet's secrets are not committed."""
        return AgeStore(self.project.state_dir / "secrets.age", self.identity)

    def take_down(self, progress: Progress, *, volumes: bool) -> None:
        """Stop the containers; with `volumes`, remove them with network, data and certificates."""
        from slipway.platforms.local.up import down  # noqa: PLC0415

        down(self.project, volumes=volumes, progress=progress)

    def open(self) -> Opened:
        """What the last `up` wrote down."""
        file = self.project.state_dir / OUTPUTS_FILE
        if not file.exists():
            raise BadInput(
                f"stack {self.project.stack.name} is not up: {file} does not exist",
                remedy=f"slipway up --stack {self.project.stack.name}",
            )
        return Opened(Outputs.model_validate_json(file.read_text()))

    def fleet_plan(self, outputs: Outputs, secrets: Mapping[str, str]) -> FleetPlan:
        """Missing and ending certificates are made."""
        from slipway.platforms.local.up import fleet_plan  # noqa: PLC0415

        return fleet_plan(self.project, outputs, secrets)

    @property
    def plain_port(self) -> int:
        return self.project.stack.local.http_port

    @staticmethod
    def machine_examinations() -> tuple[Examination, ...]:
        """Docker is installed, or can be."""
        return (docker,)

    def examinations(self) -> tuple[Examination, ...]:
        """Docker, the published ports, the age key."""
        return (*self.machine_examinations(), self.ports, *super().examinations())

    def ports(self) -> Iterable[Diagnosis]:
        """The ports on 127.0.0.1 are free, or the fleet's own."""
        return examine_ports(self.project.stack, self.project.fleet_id)

"""Platform `local`, behind the interface."""

import shutil
from collections.abc import Iterable, Mapping
from typing import Any

from hosts.plan import FleetPlan
from slipway.platforms.local.bake import INIT, INIT_PATH
from slipway.platforms.local.debian import apt_files, find_mirror, suite_of
from slipway.platforms.local.docker import docker
from slipway.platforms.local.network import DATA_DISKS, DISKS, RESOLVER, examine_ports
from slipway.platforms.own_hosts import OwnHosts
from slipway.platforms.platform import Diagnosis, Difference, Examination, Opened
from slipway.platforms.pulumi import PulumiManaged
from slipway.progress import Progress, Silent
from slipway.secrets.age_store import AgeStore
from slipway.settings import OUTPUTS_FILE, BadInput, Host, Outputs


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

    def private_keys(self) -> Mapping[str, str]:
        """Keys of the authority, the servers and ssh: files of the state folder."""
        places = [*self.project.state_dir.glob("tls/*"), *self.project.state_dir.glob("ssh/**/*")]
        texts = {path: path.read_text() for path in places if path.is_file()}
        return {f"the key {path.name}": text for path, text in texts.items() if "PRIVATE KEY-----" in text}

    def beside_the_set_up(self, host: Host) -> Mapping[str, Any]:
        """What the image and the container bring: the machine's apt settings, the operator's key, disks."""
        from slipway.platforms.local.keys import fingerprint, operator_key  # noqa: PLC0415

        image = self.project.stack.local.image
        placed = {path: content for path, _, content in apt_files(find_mirror(suite_of(image)))}
        return {
            "files": {INIT_PATH: INIT, **placed},
            "operator_keys": [fingerprint(operator_key(self.project.state_dir))],
            "mounts": [*DISKS, *(DATA_DISKS if host.is_any("data") else ())],
            "resolvers": [RESOLVER],
            "image_is_known": True,
        }

    def drift(self, progress: Progress) -> list[Difference]:
        """What differs in the containers, if `pulumi up` made the fleet, and on the hosts."""
        containers = PulumiManaged.drift(self, progress) if self._is_pulumis() else []
        hosts = OwnHosts.drift(self, progress)
        # A container that does not run is known by its state already.
        stopped = {each.path.removeprefix("states.") for each in containers}
        return [*containers, *(each for each in hosts if each.path or each.name not in stopped)]

    def _is_pulumis(self) -> bool:
        """Whether the engine holds the fleet; without the engine, `slipway up` made it."""
        if shutil.which("pulumi") is None:
            return False
        try:
            from slipway.platforms.pulumi.open import open_stack  # noqa: PLC0415 - the package pulumi takes 0.4 s

            open_stack(self.project, Silent(), make=False)
        except (BadInput, ImportError):
            return False
        return True

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

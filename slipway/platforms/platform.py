"""Which code brings a platform's hosts up, and takes them down."""

from __future__ import annotations

from collections.abc import Mapping

from slipway.progress import Progress
from slipway.settings.errors import BadInput
from slipway.settings.outputs import Outputs
from slipway.settings.project import Project


def bring_up(project: Project, progress: Progress, *, break_lock: str = "") -> Outputs:
    """Bring the stack's hosts up and in line with its settings; idempotent.

    `break_lock` (platform aws): owner of a lock on the engine's state that a person knows to be dead.
    """
    if break_lock and project.stack.platform != "aws":
        raise BadInput(
            f"--break-lock {break_lock}: stack {project.stack.name} is on platform {project.stack.platform}, "
            "where there is no engine and no lock of it",
            remedy="leave it out",
        )
    match project.stack.platform:
        case "local":
            from slipway.platforms.local.up import up  # noqa: PLC0415 - each platform's imports are heavy

            return up(project, progress)
        case "servers":
            from slipway.platforms.servers.up import up as set_up  # noqa: PLC0415

            return set_up(project, progress)
        case "aws":
            from slipway.platforms.aws.up import up as bring_in_line  # noqa: PLC0415

            return bring_in_line(project, progress, break_lock=break_lock)


def take_down(project: Project, *, volumes: bool, progress: Progress) -> None:
    """Take a local fleet down; other platforms are not ours to delete."""
    if project.stack.platform != "local":
        raise BadInput(
            f"stack {project.stack.name} is on platform {project.stack.platform}: `down` is for local fleets",
            remedy=f"pulumi destroy --stack {project.stack.name}" if project.stack.platform == "aws" else "",
        )
    from slipway.platforms.local.up import down  # noqa: PLC0415

    down(project, volumes=volumes, progress=progress)


def setup_digests(project: Project, outputs: Outputs, secrets: Mapping[str, str]) -> dict[str, str]:
    """By host, the digest of the set-up that the settings of this moment ask for."""
    if project.stack.platform == "aws":
        from slipway.platforms.aws.kits import setup_digests as of_kits  # noqa: PLC0415

        return of_kits(project, outputs, secrets)
    from hosts.digest import setup_digest  # noqa: PLC0415 - only a release asks

    if project.stack.platform == "servers":
        from slipway.platforms.servers.up import fleet_plan  # noqa: PLC0415
    else:
        from slipway.platforms.local.up import fleet_plan  # noqa: PLC0415
    plan = fleet_plan(project, outputs, secrets)
    return {host.name: setup_digest(plan, host) for host in outputs.hosts}

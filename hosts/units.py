"""systemd's unit files: place them, and have systemd read them."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from pyinfra.operations import files, systemd

from hosts.operations import on_change
from hosts.render import template

UNITS = "/etc/systemd/system"


def unit(*names: str) -> None:
    """Place unit files of templates/systemd."""
    for name in names:
        files.put(name=name, src=template(f"systemd/{name}"), dest=f"{UNITS}/{name}", mode="644")
    daemon_reload(*(f"{UNITS}/{name}" for name in names))


def drop_in(unit_name: str, source: str) -> str:
    """Place a drop-in of templates/systemd beside Debian's own unit. Its path."""
    path = f"{UNITS}/{unit_name}.d/slipway.conf"
    files.put(name=f"settings of {unit_name}", src=template(f"systemd/{source}"), dest=path, mode="644")
    daemon_reload(path)
    return path


def daemon_reload(*paths: str) -> None:
    """Have systemd read the unit files or drop-ins at `paths`."""
    names = " ".join(path.removeprefix(f"{UNITS}/") for path in paths)
    on_change(name=f"daemon-reload {names}", files=paths, command="systemctl daemon-reload")


def at_boot(service: str, *, enabled: bool = True) -> None:
    """`service` starts at boot, or not; it is neither started nor stopped now."""
    systemd.service(name=f"{service} at boot", service=service, running=None, enabled=enabled)  # pyright: ignore[reportArgumentType]

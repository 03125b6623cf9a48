"""The stack's hosts, each as testinfra's own `Host`: `host.file("/etc/passwd").mode`.

They are reached by testinfra's ssh backend through the stack's generated ssh_config, which pins host keys and
keeps one connection open for each host (ControlMaster): every further read is a session of it, and spares the
handshake (bench/checks.py measures both).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

import testinfra

from slipway.stack import Outputs, Role

if TYPE_CHECKING:
    Host = Any  # testinfra adds its modules at run time: a type checker sees none of them
else:
    from testinfra.host import Host

__all__ = ["Host", "Hosts", "live_slot", "name_of"]

T = TypeVar("T")


class Hosts:
    """All hosts of the stack, by name. Nothing connects before something is read."""

    def __init__(self, outputs: Outputs) -> None:
        config = str(outputs.ssh_config_path)
        self._outputs = outputs
        # controlpersist=0: ControlMaster and ControlPersist come from the ssh_config.
        self._hosts: dict[str, Host] = {
            host.name: testinfra.get_host(
                f"ssh://{host.name}", ssh_config=config, controlpersist=0, sudo=host.ssh_user != "root"
            )
            for host in outputs.hosts
        }

    def __getitem__(self, name: str) -> Host:
        return self._hosts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._hosts)

    def of(self, *roles: Role) -> list[Host]:
        """The hosts that have one of `roles`, in the order of the outputs."""
        return [self._hosts[host.name] for host in self._outputs.hosts if host.is_any(*roles)]

    def each(self, read: Callable[[Host], T], *roles: Role) -> dict[str, T]:
        """What `read` returns for each host of `roles` (default: all), by name; all hosts at once."""
        chosen = self.of(*roles) if roles else list(self._hosts.values())
        with ThreadPoolExecutor(max(1, len(chosen))) as pool:
            return dict(zip(map(name_of, chosen), pool.map(read, chosen), strict=True))


def live_slot(host: Host) -> str:
    """The slot that serves on `host`, blue or green; empty before the first release."""
    state = host.file("/var/lib/slipway/state.json")
    return str(json.loads(state.content_string).get("active") or "") if state.exists else ""


def name_of(host: Host) -> str:
    """The host's name, which is its alias in the ssh_config."""
    return host.backend.get_hostname()

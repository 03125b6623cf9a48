"""The stack's hosts, each as testinfra's own `Host`: `host.file("/etc/passwd").mode`.

They are reached by testinfra's ssh backend through the stack's generated ssh_config, which pins host keys and
keeps one connection open for each host (ControlMaster): every further read is a session of it, and spares the
handshake (bench/checks.py measures both).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import testinfra

from checks.kit.check import not_evaluated
from slipway.stack import LiveStack, Outputs, Role

if TYPE_CHECKING:
    Host = Any  # testinfra adds its modules at run time: a type checker sees none of them
else:
    from testinfra.host import Host

__all__ = ["Host", "Hosts", "cron_services", "live_slot", "name_of", "require_enabled"]

T = TypeVar("T")
BOUND = 77
"""Exit code of templates/base/gate.sh, which runs in place of what a key of CI may not do."""


class Hosts:
    """All hosts of the stack, by name. Nothing connects before something is read."""

    def __init__(self, outputs: Outputs) -> None:
        config = str(outputs.ssh_config_path)
        self._outputs = outputs
        self._is_bound: bool | None = None
        # controlpersist=0: ControlMaster and ControlPersist come from the ssh_config.
        self._hosts: dict[str, Host] = {
            host.name: testinfra.get_host(
                f"ssh://{host.name}", ssh_config=config, controlpersist=0, sudo=host.ssh_user != "root"
            )
            for host in outputs.hosts
        }

    def __getitem__(self, name: str) -> Host:
        self.refuse_bound_key(name)
        return self._hosts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._hosts)

    def refuse_bound_key(self, name: str) -> None:
        """End the check if the ssh key at work is one of CI, for which hosts run no commands of a check."""
        if self._is_bound is None:
            try:
                tried = self._hosts[name].run(":")
            except RuntimeError:
                return  # not reached: the check of the root says why
            self._is_bound = tried.rc == BOUND and "slipway-gate:" in tried.stderr
        if self._is_bound:
            not_evaluated("the ssh key at work is bound to slipway-agent: run it with the key of a person")

    def of(self, *roles: Role) -> list[Host]:
        """The hosts that have one of `roles`, in the order of the outputs."""
        return [self[host.name] for host in self._outputs.hosts if host.is_any(*roles)]

    def each(self, read: Callable[[Host], T], *roles: Role) -> dict[str, T]:
        """What `read` returns for each host of `roles` (default: all), by name; all hosts at once."""
        chosen = self.of(*roles) if roles else [self[name] for name in self]
        with ThreadPoolExecutor(max(1, len(chosen))) as pool:
            return dict(zip(map(name_of, chosen), pool.map(read, chosen), strict=True))


@cache
def live_slot(host: Host) -> str:
    """The slot that serves on `host`, blue or green; empty before the first release. A run reads it once."""
    state = host.file("/var/lib/slipway/state.json")
    return str(json.loads(state.content_string).get("active") or "") if state.exists else ""


def cron_services(live: LiveStack) -> list[str]:
    """The systemd services that the app's cron entries run as."""
    return [f"slipway-cron-{name}.service" for name in live.app.cron]


def require_enabled(host: Host, unit: str) -> None:
    """Fail the check unless systemd starts `unit` at boot."""
    # testinfra's `is_enabled` would take a systemctl that failed for a unit that is disabled.
    state = host.service(unit).systemd_properties.get("UnitFileState") or "not there"
    assert state == "enabled", f"{unit} is {state}"


def name_of(host: Host) -> str:
    """The host's name, which is its alias in the ssh_config."""
    return host.backend.get_hostname()

"""The stack's hosts as checks read them: testinfra over kept connections."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from testinfra.host import Host as Machine

from checks.kit.kept import KeptBackend
from slipway.settings.outputs import Host as Facts
from slipway.settings.outputs import Role
from slipway.stack import LiveStack

T = TypeVar("T")


class LiveHost:
    """One host. `machine` is testinfra's: `host.machine.file("/etc/passwd").mode`."""

    def __init__(self, facts: Facts, live: LiveStack) -> None:
        self.facts = facts
        self._backend = KeptBackend(facts.name, live.outputs.ssh_config_path, sudo=facts.ssh_user != "root")
        self.machine = Machine(self._backend)

    @property
    def name(self) -> str:
        """Its name, which is its ssh alias."""
        return self.facts.name

    @property
    def role(self) -> Role:
        """What it is for."""
        return self.facts.role

    def run(self, command: str) -> str:
        """What `command` prints, run by sh as root; AssertionError with its last words if it fails."""
        done = self._backend.run(command)
        if done.rc != 0:
            first = command.split(maxsplit=1)[0]
            raise AssertionError(f"{self.name}: `{first} …` ended with {done.rc}: {done.stderr[-300:]}")
        return done.stdout

    def python(self, program: str) -> str:
        """What a Python program prints there; nothing in it may be secret: all see command lines."""
        coded = base64.b64encode(program.encode()).decode()
        return self.run(f"python3 -c \"import base64;exec(base64.b64decode('{coded}'))\"")

    def close(self) -> None:
        """End what runs on the host for us."""
        self._backend.close()


class Hosts:
    """All hosts of the stack."""

    def __init__(self, live: LiveStack) -> None:
        self._hosts = {facts.name: LiveHost(facts, live) for facts in live.outputs.hosts}

    def __getitem__(self, name: str) -> LiveHost:
        return self._hosts[name]

    def __iter__(self) -> Iterator[LiveHost]:
        return iter(self._hosts.values())

    def of(self, *roles: Role) -> list[LiveHost]:
        """The hosts of `roles`, in the order of the outputs."""
        return [host for host in self if host.role in roles]

    def each(self, work: Callable[[LiveHost], T], *roles: Role) -> dict[str, T]:
        """Do `work` on all hosts of `roles` (default: all) at once."""
        chosen = self.of(*roles) if roles else list(self)
        if not chosen:
            return {}
        with ThreadPoolExecutor(len(chosen)) as pool:
            return dict(zip([host.name for host in chosen], pool.map(work, chosen), strict=True))

    def close(self) -> None:
        """End what runs on the hosts for us."""
        for host in self:
            host.close()

"""A testinfra backend that keeps one connection and one interpreter open on each host.

testinfra's ssh backend starts a process here and a shell there for every question. This one starts ssh once;
after that a question is a line down a pipe.
"""

from __future__ import annotations

import base64
import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from testinfra.backend.base import BaseBackend, CommandResult
from testinfra.host import Host as Machine

from slipway.settings.outputs import Host as Facts
from slipway.settings.outputs import Role
from slipway.stack import LiveStack

_LOOP = """
import base64, json, subprocess, sys
for line in sys.stdin:
    ask = json.loads(line)
    try:
        done = subprocess.run(["/bin/sh", "-c", ask["command"]], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=ask["timeout"])
        code, out, err = done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired:
        code, out, err = 124, b"", b"timed out"
    print(json.dumps([code, base64.b64encode(out).decode(), base64.b64encode(err).decode()]), flush=True)
"""
"""Runs on the host; nothing in it is secret, for argv is seen by everyone there."""

COMMAND_SECONDS = 30.0


class KeptBackend(BaseBackend):
    """One host by its alias in the stack's ssh_config; as root."""

    NAME = "kept"

    def __init__(self, host: str, ssh_config: Path, *, sudo: bool) -> None:
        super().__init__(host)
        self._argv = ["ssh", "-F", str(ssh_config), host, *(("sudo", "-n") if sudo else ())]
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, command: str, *args: str, **_kwargs: Any) -> CommandResult:
        """Runs `command`, its %s filled with quoted `args`, by the host's shell; waits for its end."""
        asked = self.get_command(command, *args)
        line = json.dumps({"command": asked, "timeout": COMMAND_SECONDS}).encode() + b"\n"
        with self._lock:
            process = self._started()
            if process.stdin is None or process.stdout is None:
                raise RuntimeError(f"no pipe to {self.hostname}")
            process.stdin.write(line)
            process.stdin.flush()
            answer = process.stdout.readline()
        if not answer:
            raise ConnectionError(f"{self.hostname}: ssh ended with {process.wait()} during a check")
        code, out, err = json.loads(answer)
        return self.result(int(code), self.encode(asked), base64.b64decode(out), base64.b64decode(err))

    def close(self) -> None:
        """Ends the interpreter over there; the connection is ssh's to keep."""
        if self._process and self._process.stdin:
            self._process.stdin.close()
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                # A host too busy to end it is no fault of the check that happened to be the last.
                self._process.kill()
                self._process.wait()
        self._process = None

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            # ssh joins the words, and the shell over there takes them apart again.
            program = base64.b64encode(_LOOP.encode()).decode()
            loop = f"python3 -u -c 'import base64; exec(base64.b64decode(\"{program}\"))'"
            self._process = subprocess.Popen(
                [*self._argv, loop], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        return self._process


# The stack's hosts as checks read them: testinfra over kept connections.


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

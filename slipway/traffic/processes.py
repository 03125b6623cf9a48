"""The processes of a load test, on this machine or on others, each a clone of the project reached by ssh.

Locust's own protocol knows neither passwords nor encryption, so it goes through the ssh connection that
starts the workers: the master listens on loopback only, and a port on the worker's loopback leads back to it.
"""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from slipway.settings import BadInput, SlipwayError
from slipway.traffic.target import Handover, Target

__all__ = [
    "Processes",
    "Worker",
    "WorkerHost",
    "look_at",
    "start",
    "worker_host",
]


CONNECT_SECONDS = 20.0
_WRITTEN = re.compile(r"^(?P<ssh>(?:[A-Za-z_][\w.-]*@)?[A-Za-z0-9][\w.-]*)(?::(?P<folder>[^:]+))?$")
_IN_CLONE = """\
cd "$0" || exit
[ -x .venv/bin/python ] && exec .venv/bin/python "$@"
exec uv run --no-sync python "$@"
"""
_OPTIONS = (
    "BatchMode=yes",
    "ConnectTimeout=10",
    "ServerAliveInterval=5",
    "ControlMaster=no",
    "ControlPath=none",
)
_LOOK = """\
import importlib.util, json, os, socket, subprocess
s = socket.socket(); s.bind(("127.0.0.1", 0))
lack = [n for n in ("locust", "websocket", "slipway") if not importlib.util.find_spec(n)]
git = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True)
found = {"port": s.getsockname()[1], "lack": lack, "commit": git.stdout.strip(), "cores": os.cpu_count()}
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Look:
    """What a worker's machine said of itself."""

    port: int
    """Free on its loopback."""
    lack: list[str]
    """Packages that are not installed."""
    commit: str
    """Commit of the clone; empty if it is none."""
    cores: int


@dataclass(frozen=True)
class WorkerHost:
    """`user@host:/path/of/the/clone`; the path is relative to the user's home, by default `slipway`."""

    ssh: str
    folder: str
    ssh_config: Path | None = None
    """As `ssh -F`; None: the person's own."""

    def __str__(self) -> str:
        return self.ssh

    @property
    def is_here(self) -> bool:
        """Is it this machine, by its loopback address?"""
        return self.ssh.rpartition("@")[2] in ("localhost", "127.0.0.1", "::1")

    def look(self) -> Look:
        """Ask the machine what it has. SlipwayError: not reached, no such folder, no Python there."""
        argv = [*self._ssh(), self.ssh, self._in_clone(["-c", _LOOK])]
        try:
            done = subprocess.run(
                argv,
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
                timeout=CONNECT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise SlipwayError(f"worker {self.ssh} does not answer within {CONNECT_SECONDS:.0f} s") from None
        if done.returncode:
            raise SlipwayError(
                f"worker {self.ssh} cannot take part: {_last_line(done.stderr)}",
                remedy=f"it needs ssh without a password, and a clone of the project in {self.folder} "
                "with its packages (uv sync)",
            )
        return Look(**json.loads(done.stdout.strip().splitlines()[-1]))

    def argv(self, look: Look, master_port: int, locust: Sequence[str]) -> list[str]:
        """The command on this machine that runs a generator there, with the way back to the master."""
        forward = ["-o", "ExitOnForwardFailure=yes", "-R", f"127.0.0.1:{look.port}:127.0.0.1:{master_port}"]
        generator = ["-m", "slipway.traffic.generator", *locust, "--master-port", str(look.port)]
        return [*self._ssh(), *forward, self.ssh, self._in_clone(generator)]

    def _ssh(self) -> list[str]:
        config = ["-F", str(self.ssh_config)] if self.ssh_config else []
        return ["ssh", *config, "-T", *(word for option in _OPTIONS for word in ("-o", option))]

    def _in_clone(self, python: Sequence[str]) -> str:
        return shlex.join(["sh", "-c", _IN_CLONE, self.folder, *python])


def worker_host(written: str, ssh_config: Path | None = None) -> WorkerHost:
    """The machine that `user@host:/path` names. BadInput if it names none."""
    found = _WRITTEN.match(written)
    if found is None or found["ssh"].isdecimal():
        raise BadInput(
            f"--workers: {written!r} is not a valid host",
            remedy="write user@host:/path/of/the/clone; more processes on this machine: --processes",
        )
    return WorkerHost(found["ssh"], found["folder"] or "slipway", ssh_config)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it did not say why"


def look_at(hosts: Sequence[WorkerHost], target: Target, root: Path) -> list[tuple[WorkerHost, Look]]:
    """Inspect all hosts at once. Raises BadInput for any that cannot take part, before anything is sent."""
    if not hosts:
        return []
    if target.address[0] in ("127.0.0.1", "::1", "localhost") and not all(host.is_here for host in hosts):
        raise BadInput(
            f"stack {target.stack} is on this machine's loopback, which no other machine reaches",
            remedy="leave --workers out; more processes here: --processes",
        )
    with ThreadPoolExecutor(len(hosts)) as pool:
        looks = list(pool.map(WorkerHost.look, hosts))
    for host, look in zip(hosts, looks, strict=True):
        if look.lack:
            raise BadInput(
                f"worker {host}: {', '.join(look.lack)} is not installed in {host.folder}",
                remedy=f"there: cd {host.folder} && uv sync",
            )
    others = sorted({look.commit for look in looks} - {_commit(root)})
    if others:
        sys.stderr.write(f"warning: workers run other code than this clone: {', '.join(others)}\n")
    return list(zip(hosts, looks, strict=True))


def _commit(root: Path) -> str:
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=False)
    return done.stdout.strip()


GATHER_SECONDS = 60
"""How long the master waits for its workers."""
GOODBYE_SECONDS = 20.0
"""How long a worker may take to end after its master."""


@dataclass
class Worker:
    """Workers that were started together: on this machine, or on another by one ssh connection."""

    name: str
    process: subprocess.Popen[bytes]
    reported: bool = False
    """True once its end has been shown."""


@dataclass
class Processes:
    """All that were started; `leader` writes the reports and says how it ended."""

    leader: subprocess.Popen[bytes]
    workers: list[Worker]

    def stop(self) -> None:
        """Ask for an end in order: with what was found so far."""
        if self.leader.poll() is None:
            self.leader.send_signal(signal.SIGINT)

    def lost(self) -> list[Worker]:
        """Workers that ended otherwise than because their leader said so; each once."""
        found = [each for each in self.workers if not each.reported and each.process.poll()]
        for each in found:
            each.reported = True
        return found

    def close(self) -> None:
        """Whoever is left ends, at the latest when its standard input is closed and it was given time."""
        everybody = [self.leader, *(each.process for each in self.workers)]
        for process in everybody:
            if process.stdin:
                process.stdin.close()
        until = time.monotonic() + GOODBYE_SECONDS
        for process in everybody:
            try:
                process.wait(timeout=max(until - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def start(
    scenarios: Path,
    options: Sequence[str],
    leading: Sequence[str],
    *,
    root: Path,
    handover: Callable[[bool], Handover],
    processes: int,
    hosts: Sequence[tuple[WorkerHost, Look]],
    output: int | IO[str] | None,
) -> Processes:
    """Start them in `root`.

    `options` are locust's for all, `leading` those for the one that leads; nothing secret is in them.
    `handover` returns what a process reads on standard input; called with True for another machine.
    `output` gets all that they print.
    """
    every = ["-f", str(scenarios), *options]
    workers: list[Worker] = []
    count = processes * (len(hosts) or 1)
    if count == 1 and not hosts:
        argv = [sys.executable, "-m", "slipway.traffic.generator", *every, *leading]
        return Processes(_run(argv, root, handover(False), output), workers)
    port = _free_port()
    master = ["--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", str(port)]
    master += ["--expect-workers", str(count), "--expect-workers-max-wait", str(GATHER_SECONDS)]
    argv = [sys.executable, "-m", "slipway.traffic.generator", *every, *leading, *master]
    leader = _run(argv, root, handover(False), output)
    follow = ["--worker", "--master-host", "127.0.0.1"]
    follow += ["--processes", str(processes)] if processes > 1 else []
    for host, look in hosts:
        there = ["-f", scenarios.name, *options, *follow]
        process = _run(host.argv(look, port, there), root, handover(True), output)
        workers.append(Worker(str(host), process))
    if not hosts:
        argv = [sys.executable, "-m", "slipway.traffic.generator", *every, *follow]
        argv += ["--master-port", str(port)]
        workers.append(Worker("this machine", _run(argv, root, handover(False), output)))
    return Processes(leader, workers)


def _run(
    argv: Sequence[str], root: Path, handover: Handover, output: int | IO[str] | None
) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        argv, cwd=root, stdin=subprocess.PIPE, stdout=output, stderr=output, start_new_session=True
    )
    assert process.stdin
    try:
        process.stdin.write(handover.model_dump_json().encode() + b"\n")
        process.stdin.flush()
    except BrokenPipeError:
        pass  # it has ended already, and its own words say why
    return process


def _free_port() -> int:
    """A free port below those that the kernel gives to connections: the master binds it a second later."""
    for port in range(12_000 + os.getpid() % 8_000, 32_000):
        with socket.socket() as trial:
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise SlipwayError("no port from 12000 to 32000 is free for the master of the workers")

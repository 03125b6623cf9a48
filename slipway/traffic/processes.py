"""What `slipway load` hands to each process of the generator, on its standard input: secrets are in it."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pydantic import BaseModel, ConfigDict, Field

from slipway.settings import SlipwayError
from slipway.traffic.target import Target
from slipway.traffic.worker_hosts import Look, WorkerHost

__all__ = ["Handover", "Processes", "Worker", "start", "take", "target_given"]


class Handover(BaseModel):
    """One line of JSON. A worker's machine needs nothing of the stack but this."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    target: Target = Field(repr=False)
    ca: str = ""
    """The site's CA in PEM, for a machine that does not have the file; empty: as the target says."""


_given: list[Target] = []


def take(handover: Handover) -> Target:
    """Target this process, and all that it forks, as `handover` says."""
    target = handover.target
    if handover.ca:
        # Only a name in the target survives a fork; the file is read once in each process, as it starts.
        file = Path(tempfile.mkdtemp(prefix="slipway-load-")) / "ca.pem"
        file.write_text(handover.ca)
        target = target.model_copy(update={"ca_file": str(file)})
    _given[:] = [target]
    return target


def target_given() -> Target | None:
    """The target that this process was started with; None: it reads the stack itself."""
    return _given[0] if _given else None


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

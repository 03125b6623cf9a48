"""Faults: what strikes a command, a host or a service, and what heals it again."""

import os
import signal
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tests.debian import DEBIAN
from tests.fleet.command import slipway
from tests.fleet.faults.running import Running
from tests.fleet.site import Site


@dataclass(frozen=True)
class Fault:
    """`name` as the report shows it."""

    name: str

    @contextmanager
    def around(self, site: Site) -> Generator[dict[str, str]]:
        """What must hold before the command starts, until it has ended; yields the command's environment."""
        del site
        yield {}

    def strike(self, site: Site, running: Running) -> None:
        """Strike at the moment. What is taken away for a while is given back before this returns."""
        raise NotImplementedError


@dataclass(frozen=True)
class Killed(Fault):
    """The machine that released is gone; its lease ends at once here, and not after half a minute."""

    def strike(self, site: Site, running: Running) -> None:
        running.send(signal.SIGKILL)
        running.wait()
        site.end_lease()


@dataclass(frozen=True)
class Interrupted(Fault):
    """A signal to the command; `group`: also to whatever it started, as a terminal does for Ctrl-C."""

    number: signal.Signals
    group: bool = False

    def strike(self, site: Site, running: Running) -> None:
        if self.group:
            os.killpg(running.process.pid, self.number)
        else:
            running.send(self.number)


@dataclass(frozen=True)
class KilledInItsUndo(Fault):
    """A person presses Ctrl-C, and the command is killed while it undoes its work."""

    def strike(self, site: Site, running: Running) -> None:
        running.send(signal.SIGINT)
        running.wait_for(r"undo +")
        SIGKILL.strike(site, running)


@dataclass(frozen=True)
class KilledTwice(Fault):
    """The command is killed, and then the one that recovers what it left."""

    def strike(self, site: Site, running: Running) -> None:
        SIGKILL.strike(site, running)
        recovery = Running(site.root, "status", "--json", "--wait", "30")
        recovery.wait_for(r"recover +")
        SIGKILL.strike(site, recovery)


@dataclass(frozen=True)
class Paused(Fault):
    """The command stands still for some seconds."""

    seconds: float

    def strike(self, site: Site, running: Running) -> None:
        running.send(signal.SIGSTOP)
        time.sleep(self.seconds)
        running.send(signal.SIGCONT)


@dataclass(frozen=True)
class PausedPastItsLease(Fault):
    """It stands still until another command has undone its work, and then goes on."""

    def strike(self, site: Site, running: Running) -> None:
        running.send(signal.SIGSTOP)
        try:
            site.end_lease()
            other = slipway(site.root, "status", "--json", "--wait", "30")
        finally:
            running.send(signal.SIGCONT)
        assert other.code == 0, other.out + other.err


@dataclass(frozen=True)
class SshCut(Fault):
    """A host drops every packet to its sshd, while it serves users as before."""

    host: str
    seconds: float | None
    """None: until the command ends."""

    RULE: ClassVar[str] = "nft insert rule inet slipway input tcp dport 22 drop comment fault"
    HANDLE: ClassVar[str] = "nft -a list chain inet slipway input | sed -n 's/.*\"fault\".*handle //p'"

    def strike(self, site: Site, running: Running) -> None:
        site.on(self.host, self.RULE)
        try:
            if self.seconds is None:
                running.wait()
            else:
                time.sleep(self.seconds)
        finally:
            site.on(self.host, f"nft delete rule inet slipway input handle $({self.HANDLE})")


@dataclass(frozen=True)
class OnHost(Fault):
    """A shell command as root on one host; it must end with 0, or the fault has not struck.

    A pattern for pgrep must not match the command itself, which is why each has a letter in brackets.
    """

    host: str
    script: str

    def strike(self, site: Site, running: Running) -> None:
        site.on(self.host, self.script)


@dataclass(frozen=True)
class ServiceAway(Fault):
    """A systemd service of the data host is stopped for some seconds."""

    unit: str
    seconds: float

    def strike(self, site: Site, running: Running) -> None:
        site.on("data1", f"systemctl stop {self.unit}")
        try:
            time.sleep(self.seconds)
        finally:
            site.on("data1", f"systemctl start {self.unit}")


@dataclass(frozen=True)
class Restarted(Fault):
    """Hosts shut down and start again, all at once."""

    hosts: tuple[str, ...]

    def strike(self, site: Site, running: Running) -> None:
        site.docker("restart", "-t", "10", *(site.container(host) for host in self.hosts))


@dataclass(frozen=True)
class StandsStill(Fault):
    """A host gets no processor time for some seconds, as a virtual machine may."""

    host: str
    seconds: float

    def strike(self, site: Site, running: Running) -> None:
        site.docker("pause", site.container(self.host))
        try:
            time.sleep(self.seconds)
        finally:
            site.docker("unpause", site.container(self.host))


@dataclass(frozen=True)
class DiskFull(Fault):
    """The disk that holds a host's releases fills up after the preflight has found room on it."""

    host: str

    @contextmanager
    def around(self, site: Site) -> Generator[dict[str, str]]:
        with site.small_disk(self.host):
            yield {}

    def strike(self, site: Site, running: Running) -> None:
        running.send(signal.SIGSTOP)  # staging a small change takes less time than filling a disk
        site.fill_disk(self.host)
        running.send(signal.SIGCONT)


@dataclass(frozen=True)
class ClockWrong(Fault):
    """The clock of the operator's machine is wrong by some seconds; nothing strikes at the moment itself."""

    seconds: int

    @contextmanager
    def around(self, site: Site) -> Generator[dict[str, str]]:
        folder = site.root.parent / f"{site.root.name}-clock"
        folder.mkdir(exist_ok=True)
        yield wrong_clock(folder, self.seconds)

    def strike(self, site: Site, running: Running) -> None: ...


def wrong_clock(folder: Path, seconds: int) -> dict[str, str]:
    """The environment of a command whose clock is so many seconds fast."""
    text = f"import time\n_true = time.time\ntime.time = lambda: _true() + {seconds}\n"
    (folder / "sitecustomize.py").write_text(text)
    return {"PYTHONPATH": str(folder)}


@dataclass(frozen=True)
class Another(Fault):
    """Another command is started beside it."""

    args: tuple[str, ...]
    ends: int
    """The exit code that it must have."""

    def strike(self, site: Site, running: Running) -> None:
        other = slipway(site.root, *self.args)
        assert other.code == self.ends, other.out + other.err


SIGKILL = Killed("SIGKILL of the command")
IN_ITS_UNDO = KilledInItsUndo("Ctrl-C, then SIGKILL in the undo")
TWICE = KilledTwice("SIGKILL, then SIGKILL of the command that recovers")
CTRL_C = Interrupted("Ctrl-C", signal.SIGINT, group=True)
SIGTERM = Interrupted("SIGTERM of the command", signal.SIGTERM)
STOPPED = Paused("command stopped for 3 s, then continued", 3)
STOPPED_LONG = PausedPastItsLease("command stopped until another has undone it, then continued")
SSH_CUT = SshCut("ssh to web2 cut for 8 s", "web2", 8)
SSH_GONE = SshCut("ssh to web2 cut until the command ends", "web2", None)
SSH_RESET = OnHost("ssh connections to web2 reset", "web2", "kill -KILL $(pgrep -f '[s]shd[-a-z]*: root')")
STANDS_STILL = StandsStill("web2 stands still for 3 s", "web2", 3)
WEB_RESTART = Restarted("web2 restarted", ("web2",))
WORKER_RESTART = Restarted("worker1 restarted", ("worker1",))
DATA_RESTART = Restarted("data1 restarted", ("data1",))
EDGE_RESTART = Restarted("edge restarted", ("edge",))
POWER_CUT = Restarted("all hosts restarted", ("edge", "web1", "web2", "worker1", "data1"))
_KILL_AGENT = """\
for _ in $(seq 100); do
  pids=$(pgrep -f 'bin/[s]lipway-agent') && kill -KILL $pids && exit 0
  sleep 0.02
done
exit 1"""
WEB_AGENT = OnHost("agent on web2 killed during a request", "web2", _KILL_AGENT)
WORKER_AGENT = OnHost("agent on worker1 killed during a request", "worker1", _KILL_AGENT)
HAPROXY_RELOAD = OnHost("HAProxy on web1 reloaded", "web1", "systemctl reload haproxy")
EDGE_RELOAD = OnHost("HAProxy on the edge reloaded", "edge", "systemctl reload haproxy")
HAPROXY_KILL = OnHost("HAProxy on web1 killed", "web1", "systemctl kill --signal=KILL haproxy")
DISK_FULL = DiskFull("disk of web2 full", "web2")
BUCKET_AWAY = ServiceAway("bucket away for 5 s", "versitygw", 5)
REDIS_AWAY = ServiceAway("Redis away for 10 s", "redis-server", 10)
POSTGRES_AWAY = ServiceAway("PostgreSQL away for 10 s", f"postgresql@{DEBIAN.postgresql}-main", 10)
CLOCK_FAST = ClockWrong("operator's clock an hour fast", 3600)
CLOCK_SLOW = ClockWrong("operator's clock an hour slow", -3600)
SECOND_RELEASE = Another("a second release at once", ("release", "--json", "--no-checks"), ends=3)
ROLLBACK = Another("a rollback at once", ("rollback", "--json"), ends=0)

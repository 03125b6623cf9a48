"""A kept ssh connection to one host: the first command opens it, the next ones take some 25 ms."""

import json
import shlex
import socket
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from slipway.fleet.process import MOST_BYTES, Aborted, Completed, Exchange, Lines, TimedOut, TooMuch
from slipway.fleet.ssh_config import control_socket, is_alive
from slipway.settings import BadInput, SlipwayError

CONNECT_SECONDS = 15.0
"""Limit for one attempt to connect as a whole (ssh's ConnectTimeout covers only the TCP part)."""
ATTEMPTS = 3
_TUNNEL_ATTEMPTS = 5
_SSH_FAILED = 255
_REQUEST = ("-o", "ProxyCommand=false", "-O")
"""Options for a request to the process of the kept connection. If that ends without an answer, ssh opens a
new connection with a shell; ProxyCommand=false makes this fail."""
_BOUND, _GATE = 77, "slipway-gate:"
"""Exit code and first word of templates/base/gate.sh, which refuses."""


class Connection:
    """One host by its alias in the stack's ssh_config. May be used from several threads.

    Only connecting is retried, never a command. With `sudo`, commands run as root although the ssh user is
    another; sudo must need no password.
    """

    def __init__(self, host: str, ssh_config: Path, *, sudo: bool = False) -> None:
        self.host, self.ssh_config = host, ssh_config
        self._become = ("sudo", "-n", "--") if sudo else ()
        self._opening = threading.Lock()
        self._running: set[Exchange] = set()
        self._tunnels: dict[str, tuple[list[int], int]] = {}

    def run(
        self,
        argv: Sequence[str],
        stdin: bytes = b"",
        *,
        timeout: float | None = 60,
        on_stdout: Lines | None = None,
        on_stderr: Lines | None = None,
    ) -> Completed:
        """Run a command on the host and wait for its end, whatever its exit code.

        Secrets go by `stdin` only: argv is visible to all users of both machines. Raises HostDown if the host
        was not reached (nothing was run), HostLost and HostTimeout if the command may have been carried out.
        """
        self.open()
        connection = _identity(self._control)
        command = " ".join(argv[:2])
        try:
            done = self._exchange(
                [*self._ssh("-o", "ControlMaster=no"), self.host, shlex.join([*self._become, *argv])],
                stdin,
                timeout=timeout,
                on_stdout=on_stdout,
                on_stderr=on_stderr,
            )
        except TimedOut:
            raise HostTimeout(self.host, command, timeout or 0) from None
        except TooMuch:
            raise SlipwayError(
                f"{self.host}: `{command}` wrote more than {MOST_BYTES >> 20} MiB and was ended",
                remedy="a host that does so may have been taken over: look at it before the next release",
            ) from None
        except Aborted:
            raise HostLost(self.host, command) from None
        if done.code == _BOUND and _GATE in done.stderr:
            raise KeyBound(self.host, command)
        if done.code < 0 or (done.code == _SSH_FAILED and not self._has_kept(connection)):
            raise HostLost(self.host, command)
        return done

    def tunnel(self, address: str, port: int) -> int:
        """A port of 127.0.0.1 that leads to `address:port` as the host sees it; kept with the connection."""
        self.open()
        control, target = self._control, f"{address}:{port}"
        master, local = self._tunnels.get(target, ([], 0))
        if not local or master != _identity(control):
            local = forward(self._ssh(), self.host, control, target)
            self._tunnels[target] = _identity(control), local
        return local

    def is_open(self) -> bool:
        """Whether the kept connection is open."""
        return is_alive(self._control)

    def accepts_key(self) -> bool:
        """Whether the host would open a new connection for the key at work."""
        alone = self._ssh("-o", "ControlPath=none", "-o", "ControlPersist=no")
        return self._succeeds([*alone, self.host, "true"])

    def open(self, patience: float = 0) -> None:
        """Open the kept connection unless it is open. Raises HostDown with the reason.

        What a host shows while it starts is met with three attempts, and with more for `patience` seconds.
        """
        with self._opening:
            if self.is_open():
                return
            from tenacity import (  # noqa: PLC0415 - 15 ms that a warm rollback does without
                Retrying,
                retry_if_exception,
                stop_after_attempt,
                stop_after_delay,
                stop_all,
                wait_exponential,
            )

            for attempt in Retrying(
                retry=retry_if_exception(lambda e: isinstance(e, HostDown) and e.kind in PASSING),
                stop=stop_all(stop_after_attempt(ATTEMPTS), stop_after_delay(patience)),
                wait=wait_exponential(multiplier=0.3, max=2),
                reraise=True,
            ):
                with attempt:
                    self._connect()

    def close(self) -> None:
        """Close the kept connection and its tunnels."""
        if self.is_open():
            self._exchange([*self._ssh(*_REQUEST, "exit"), self.host], timeout=5)

    def abort(self) -> None:
        """Stop waiting for running commands; on the host they may continue."""
        for exchange in list(self._running):
            exchange.abort()

    def _has_kept(self, connection: list[int]) -> bool:
        """Whether this connection lives on: the command itself exited with ssh's own code for a failure.

        Its process must answer: one that ends may be connected to until its last socket is closed.
        """
        answers = self._succeeds([*self._ssh(*_REQUEST, "check"), self.host])
        return answers and _identity(self._control) == connection

    def _connect(self) -> None:
        # Not `-N -f`: if two commands start at once, the later connection must end by itself.
        try:
            done = self._exchange([*self._ssh(), self.host, "true"], timeout=CONNECT_SECONDS)
        except TimedOut:
            raise HostDown(self.host, "timed out", "") from None
        if done.code != 0:
            stderr = done.stderr
            if kind_of(stderr) == "closed" and "ProxyCommand" in self.ssh_config.read_text():
                stderr = self._why_not() or stderr
            raise HostDown(self.host, kind_of(stderr), stderr)

    def _why_not(self) -> str:
        """The ProxyCommand's own error: ssh discards it while it opens a kept connection."""
        alone = self._ssh("-o", "ControlPath=none", "-o", "ControlPersist=no")
        try:
            return self._exchange([*alone, self.host, "true"], timeout=CONNECT_SECONDS).stderr
        except TimedOut:
            return ""

    def _ssh(self, *options: str) -> list[str]:
        return ["ssh", "-F", str(self.ssh_config), *options]

    @property
    def _control(self) -> Path:
        return control_socket(self.ssh_config, self.host)

    def _succeeds(self, argv: list[str]) -> bool:
        """Whether it exits with 0 within CONNECT_SECONDS."""
        try:
            return self._exchange(argv, timeout=CONNECT_SECONDS).code == 0
        except TimedOut:
            return False

    def _exchange(
        self,
        argv: list[str],
        stdin: bytes = b"",
        *,
        timeout: float | None,
        on_stdout: Lines | None = None,
        on_stderr: Lines | None = None,
    ) -> Completed:
        try:
            exchange = Exchange(argv)
        except FileNotFoundError:
            raise SlipwayError(
                "ssh is not installed on this machine", remedy="install the OpenSSH client"
            ) from None
        self._running.add(exchange)
        try:
            return exchange.run(stdin, timeout=timeout, on_stdout=on_stdout, on_stderr=on_stderr)
        finally:
            self._running.discard(exchange)


def forward(ssh: Sequence[str], host: str, control: Path, target: str) -> int:
    """The local port of the tunnel to `target` (`address:port`), opened unless the connection has it already.

    `ssh -O forward` cannot choose a free port itself (0 is refused for -L), so one is chosen here, and again
    if another program takes it first. Tunnels live as long as the connection, so the next command finds them
    in the note beside its socket. Raises HostDown if the connection refuses the tunnel.
    """
    note = control.with_name(f"{control.name}.tunnels")
    master = _identity(control)
    known = _read(note, master)
    if (port := known.get(target)) and _listens(port):
        return port
    stderr = ""
    for _ in range(_TUNNEL_ATTEMPTS):
        port = _free_port()
        spec = f"127.0.0.1:{port}:{target}"
        done = subprocess.run(
            [*ssh, *_REQUEST, "forward", "-L", spec, host], capture_output=True, timeout=10, check=False
        )
        if done.returncode == 0:
            # By the port: several threads and commands may write it at once.
            fresh = note.with_name(f"{note.name}.{port}.new")
            fresh.write_text(json.dumps({"master": master, "ports": {**_read(note, master), target: port}}))
            fresh.replace(note)
            return port
        stderr = done.stderr.decode(errors="replace")
    raise HostDown(host, kind_of(stderr), stderr)


def _identity(control: Path) -> list[int]:
    """Identifies the master connection behind the socket: a tunnel ends with it."""
    with suppress(OSError):
        found = control.stat()
        return [found.st_ino, found.st_ctime_ns]
    return []


def _read(note: Path, master: list[int]) -> dict[str, int]:
    with suppress(OSError, ValueError, KeyError, TypeError):
        found = json.loads(note.read_text())
        if found["master"] == master:
            return found["ports"]
    return {}


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# How reaching a host fails: the messages of ssh as errors with a remedy.


class HostDown(SlipwayError):
    """The host could not be reached; nothing was run on it. `kind` is a key of `KINDS`."""

    def __init__(self, host: str, kind: str, stderr: str) -> None:
        what, remedy = KINDS[kind]
        lines = [line for line in stderr.strip().splitlines() if not line.startswith(_EMPTY)] or [""]
        last = next((line for line in lines if NO_SESSION in line), lines[-1])
        super().__init__(
            f"{host}: {what}", remedy=remedy.format(host=host), details=[f"ssh: {last}"] if last else []
        )
        self.host, self.kind = host, kind


class KeyBound(BadInput):
    """The ssh key at work is one of CI: hosts let it do what releases need, and this is something else."""

    def __init__(self, host: str, command: str) -> None:
        super().__init__(
            f"{host}: this ssh key is bound to slipway-agent, and `{command}` needs the key of a person",
            remedy="slipway access grant lets a person's key in",
        )


class HostLost(SlipwayError):
    """The connection broke while a command was running: it may or may not have been carried out."""

    def __init__(self, host: str, command: str) -> None:
        super().__init__(f"{host}: the connection broke while `{command}` was running")
        self.host = host


class HostTimeout(SlipwayError):
    """A command did not end in time; it may still be running on the host."""

    def __init__(self, host: str, command: str, seconds: float) -> None:
        super().__init__(f"{host}: `{command}` did not end within {seconds:g} s")
        self.host = host


KINDS: dict[str, tuple[str, str]] = {
    "refused": ("connection refused", "is the host up and sshd running on {host}?"),
    "timed out": ("connection timed out", "is the host up, and its firewall open to this machine?"),
    "unknown name": ("its address cannot be resolved", "check the host's address in the stack's settings"),
    "no route": ("no route to the host", "check the network to {host}"),
    "key mismatch": (
        "host key mismatch: it is not the machine whose key is pinned",
        "if {host} was rebuilt on purpose, run `slipway up` to pin its new key; if not, find out who answers",
    ),
    "not accepted": ("the ssh key is not accepted", "check the key in the stack's ssh_config"),
    "no session": (
        "AWS Systems Manager opens no session to it",
        "`slipway doctor` looks at what is needed here; is {host} running, and its SSM agent online?",
    ),
    "closed": ("the connection was closed before it was ready", "is {host} just starting, or overloaded?"),
    "failed": ("ssh failed", "try `ssh -v` with the stack's ssh_config"),
}
"""Message and remedy for each kind of failure."""

NO_SESSION = "no session by AWS Systems Manager"
"""Start of the messages of slipway.platforms.aws.tunnel."""
_EMPTY = "Connection closed by UNKNOWN"
"""ssh's last message when its ProxyCommand has ended."""

_SIGNS = (
    (NO_SESSION.lower(), "no session"),
    ("host key verification failed", "key mismatch"),
    ("remote host identification has changed", "key mismatch"),
    ("host key is known for", "key mismatch"),
    ("permission denied", "not accepted"),
    ("too many authentication failures", "not accepted"),
    ("connection refused", "refused"),
    ("timed out", "timed out"),
    ("could not resolve", "unknown name"),
    ("no route to host", "no route"),
    ("network is unreachable", "no route"),
    ("connection reset", "closed"),
    ("connection closed", "closed"),
    ("kex_exchange_identification", "closed"),
    ("banner exchange", "closed"),
)

PASSING = {"refused", "closed", "timed out"}
"""Temporary kinds, which a host shows while it starts."""


def kind_of(stderr: str) -> str:
    """The kind of failure that ssh's output means."""
    low = stderr.lower()
    return next((kind for sign, kind in _SIGNS if sign in low), "failed")

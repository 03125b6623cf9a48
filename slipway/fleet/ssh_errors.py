"""How reaching a host fails: ssh's messages turned into errors with a remedy."""

from slipway.settings import SlipwayError


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

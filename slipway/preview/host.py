"""The host that carries the previews, as the agent answers for it."""

from typing import Any

from pydantic import Field

from slipway.fleet.agent_call import Call
from slipway.fleet.process import Lines
from slipway.fleet.replies import Reply
from slipway.settings import BadInput
from slipway.stack import LiveStack

_LOCK_SECONDS, _WORK_SECONDS = 900.0, 7200.0


class Layers(Reply):
    """Digests of a build's layers."""

    layers: list[str]


class Seen(Reply):
    """A preview as its host has it. Times are seconds since 1970 by the host's clock."""

    name: str
    state: str
    step: str = ""
    build: str = ""
    number: int = 0
    nonce: str = ""
    """Its secrets follow from the stack's key and from this."""
    url: str = ""
    opened: float = 0
    updated: float = 0
    error: dict[str, Any] = Field(default_factory=dict[str, Any])
    builds: dict[str, Layers] = Field(default_factory=dict[str, Layers])
    """By id, the build that it runs and one that it is about to run."""
    down: list[str] = Field(default_factory=list[str])
    """Units that do not run although the preview is open."""

    def as_json(self, now: float) -> dict[str, object]:
        """As `slipway preview list --json` shows it; ages in seconds, by the host's clock."""
        return {
            **self.model_dump(exclude={"builds", "number", "nonce", "opened", "updated"}),
            "age_seconds": round(now - self.opened),
            "updated_seconds": round(now - self.updated) if self.updated else None,
        }

    @property
    def said(self) -> str:
        """Its state, for a person."""
        if self.error:
            return f"{self.state}: {self.error.get('message', '')}"
        if self.down:
            return f"{self.state}, but not running: {', '.join(self.down)}"
        return f"{self.state} ({self.step})" if self.step else self.state


class Listed(Reply):
    """All previews of the host, and the time there."""

    now: float
    previews: list[Seen]


class Begun(Reply):
    """A preview that is recorded: `fresh` if nothing was there under its name."""

    fresh: bool
    nonce: str
    ports: tuple[int, int, int]


class Opened(Reply):
    """An open preview: seconds by step."""

    seconds: dict[str, float]


class Closed(Reply):
    """A preview that is gone, or was not there."""

    was_there: bool
    seconds: float


class Tidied(Reply):
    """Databases that no preview has any more."""

    removed: list[str]


class PreviewHost:
    """Calls of the agent. Every method may raise AgentError, HostDown, HostLost or HostTimeout."""

    def __init__(self, live: LiveStack) -> None:
        """BadInput: no host is there, or it is being replaced."""
        hosts = live.fleet.web
        if len(hosts) != 1:
            names = ", ".join(host.name for host in hosts) or "none"
            raise BadInput(
                f"one host of stack {live.name} carries previews, and at this moment there are: {names}",
                remedy=f"again in some minutes, if it is being replaced; slipway up --stack {live.name}",
            )
        self._call = Call(hosts[0].connection)
        self._server = live.platform.preview_server(live.outputs)

    def listed(self) -> Listed:
        return self._call("preview", {"action": "list"}, Listed, seconds=30)

    def begin(self, name: str, *, build: str, layers: list[str], url: str) -> Begun:
        """Record the preview before anything is made."""
        request = {"action": "begin", "name": name, "build": build, "layers": layers, "url": url}
        return self._call("preview", request, Begun, seconds=_LOCK_SECONDS)

    def open(self, name: str, request: dict[str, object], on_progress: Lines) -> Opened:
        """Make and start it; `on_progress` is called with what its migration and seed print."""
        whole = {"action": "open", "name": name, **request}
        return self._call("preview", whole, Opened, seconds=_WORK_SECONDS, on_progress=on_progress)

    def close(self, name: str) -> Closed:
        """Remove all that was made for it."""
        request = {"action": "close", "name": name, **self._on_server}
        return self._call("preview", request, Closed, seconds=_LOCK_SECONDS)

    def tidy(self) -> list[str]:
        """Remove databases of previews that went with a host before this one. Their names."""
        if not self._server:
            return []
        request = {"action": "tidy", **self._on_server}
        return self._call("preview", request, Tidied, seconds=_LOCK_SECONDS).removed

    @property
    def _on_server(self) -> dict[str, object]:
        return {"server": self._server} if self._server else {}

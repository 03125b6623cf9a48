"""The target of traffic: all that load tests and the meter need to know of a stack."""

import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from slipway.settings import LOAD_HEADER, STICKY_COOKIE, App
from slipway.stack import LiveStack

__all__ = ["LOAD_HEADER", "STICKY_COOKIE", "Handover", "Target", "take", "target_given", "target_of"]


class Target(BaseModel):
    """A live site. It holds secrets: other processes get it as JSON on standard input, never in argv."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stack: str
    """Name of the stack, for reports."""
    url: str
    """Public URL without a trailing slash; its host is the Host header and the name in the certificate."""
    address: tuple[str, int]
    """Host and port to connect to, whatever the URL's host resolves to."""
    ca_file: str = ""
    """CA of the site's certificate; empty: the system's."""
    app: App
    """slipway.toml."""
    values: dict[str, str] = Field(default_factory=dict, repr=False)
    """Values of the smoke steps' placeholders: the env of scope `smoke`. Secret."""
    load_key: str = Field(default="", repr=False)
    """Sent as X-Slipway-Load, which exempts a client from the per-address limits. Secret."""
    homes: tuple[str, ...] = ()
    """Web hosts whose sticky cookie the clients start with, in turn, as returning visitors would. All clients
    have this machine's address, so the edge would send all new ones to one host. Empty: no cookie."""
    client: Literal["load", "meter"] = "load"
    """Which client this is, as the app's logs and statistics see it in User-Agent."""

    @property
    def authority(self) -> str:
        """Host and port as in the Host header."""
        return self.url.partition("://")[2]

    @property
    def host_name(self) -> str:
        """The name that the certificate must be valid for."""
        return urlsplit(self.url).hostname or ""

    @property
    def secure(self) -> bool:
        """True for https."""
        return self.url.startswith("https://")

    @property
    def headers(self) -> dict[str, str]:
        """Sent with every request to the target, and to no other site."""
        agent = {"User-Agent": f"slipway-{self.client}/{_version()}"}
        return {**agent, LOAD_HEADER: self.load_key} if self.load_key else agent

    def home(self, number: int) -> str:
        """The host whose sticky cookie user `number` starts with; empty: none."""
        return self.homes[number % len(self.homes)] if self.homes else ""


def target_of(live: LiveStack, client: Literal["load", "meter"] = "load") -> Target:
    """The stack `live` as a target. Raises BadInput if it is not up."""
    outputs = live.outputs
    return Target(
        stack=live.name,
        url=live.url,
        address=live.address,
        ca_file=outputs.ca_file,
        app=live.app,
        values=dict(live.smoke_env),
        load_key=live.load_key,
        homes=tuple(host.name for host in outputs.by_role("web")) if outputs.host_cookie else (),
        client=client,
    )


class Handover(BaseModel):
    """What a process of the load generator reads on its standard input: one line of JSON, with secrets.

    A worker's machine needs nothing of the stack but this.
    """

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


def _version() -> str:
    try:
        return version("slipway")
    except PackageNotFoundError:  # a source tree that is not installed
        return "0"

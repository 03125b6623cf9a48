"""What a measurement aims at: everything the generator needs to know, and nothing else."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from slipway.settings.app import App, HttpPath, Step, WebSocket
from slipway.settings.outputs import LOAD_HEADER, STICKY_COOKIE, Outputs
from slipway.stack import LiveStack
from slipway.traffic.sign_in import steps_needed

__all__ = ["LOAD_HEADER", "STICKY_COOKIE", "Aim", "aim_at"]


class Target(BaseModel):
    """A live site. Travels as JSON on standard input to a meter in a process of its own, never in argv."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    url: str
    """Public URL without a trailing slash; its host is the Host header and the TLS server name."""
    connect: str = ""
    """`address:port` to connect to instead of what the URL's host resolves to."""
    ca_file: str = ""
    """CA of the site's certificate; empty: the system's."""
    paths: list[HttpPath] = Field(default_factory=lambda: ["/health"], min_length=1)
    """Asked for in turn."""
    websocket: WebSocket | None = None
    sign_in: list[Step] = Field(default_factory=list[Step])
    """Run before a socket opens; what they capture fills the socket's messages."""
    values: dict[str, str] = Field(default_factory=dict, repr=False)
    """Fill the steps: the env of scope `smoke`. Secret."""
    homes: list[str] = Field(default_factory=list)
    """Web hosts that clients are at home on, in turn: they begin with its sticky cookie, as if they had been
    here before. One machine's clients have one address, so the edge would send all new ones to one host.
    Empty: where the load balancer sends them."""
    load_key: str = Field(default="", repr=False)
    """Sent as X-Slipway-Load, so that the per-address limits let the meter pass. Secret."""


def target_of(outputs: Outputs, app: App, secrets_env: Mapping[str, str]) -> Target:
    """The target of a stack. `secrets_env`: the env of scope `smoke`, and the entry of the load key."""
    return Target(
        url=outputs.url.rstrip("/"),
        connect=outputs.connect,
        ca_file=outputs.ca_file,
        paths=app.load.paths,
        websocket=app.websocket,
        sign_in=steps_needed(app),
        values={name: value for name, value in secrets_env.items() if name != outputs.load_header_secret},
        homes=[] if outputs.platform == "aws" else [host.name for host in outputs.by_role("web")],
        load_key=secrets_env.get(outputs.load_header_secret, ""),
    )


class Aim(BaseModel):
    """A live site. Goes to other processes as JSON on standard input, never in argv."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stack: str
    """Name of the stack, for reports."""
    url: str
    """Public URL without a trailing slash."""
    address: tuple[str, int]
    """Host and port to connect to for it."""
    ca_file: str = ""
    """CA of the site's certificate; empty: the system's."""
    app: App
    """slipway.toml."""
    values: dict[str, str] = Field(default_factory=dict, repr=False)
    """Fill the smoke steps by which users sign in. Secret."""
    load_key: str = Field(default="", repr=False)
    """Sent as X-Slipway-Load it lets users past the per-address limits. Secret."""
    homes: tuple[str, ...] = ()
    """Web hosts that users are at home on, in turn: they begin with its sticky cookie, as if they had been
    here before. All have this machine's address, so the edge would send all new ones to one host. Empty:
    where the load balancer sends them."""

    @property
    def authority(self) -> str:
        """Host and port as in the Host header."""
        return self.url.partition("://")[2]

    @property
    def host_name(self) -> str:
        """That the certificate must be for."""
        return urlsplit(self.url).hostname or ""

    @property
    def secure(self) -> bool:
        """Is it https?"""
        return self.url.startswith("https://")

    @property
    def headers(self) -> dict[str, str]:
        """Sent with every request, and to nobody else."""
        return {"User-Agent": LOAD_AGENT, **({LOAD_HEADER: self.load_key} if self.load_key else {})}

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """One for all connections of a process: reading the CAs takes milliseconds."""
        return ssl.create_default_context(cafile=self.ca_file or None)

    def home(self, number: int) -> str:
        """The host that user `number` is at home on; empty: none."""
        return self.homes[number % len(self.homes)] if self.homes else ""


def aim_at(live: LiveStack) -> Aim:
    """At the stack `live`. BadInput if it is not up."""
    outputs = live.outputs
    return Aim(
        stack=live.name,
        url=live.url,
        address=live.address,
        ca_file=outputs.ca_file,
        app=live.app,
        values=dict(live.smoke_env),
        load_key=live.load_key,
        homes=() if outputs.platform == "aws" else tuple(host.name for host in outputs.by_role("web")),
    )


def _version() -> str:
    try:
        return version("slipway")
    except PackageNotFoundError:  # a source tree that is not installed
        return "0"


METER_AGENT = f"slipway-meter/{_version()}"
LOAD_AGENT = f"slipway-load/{_version()}"
"""By which the app's logs and statistics know a load test."""

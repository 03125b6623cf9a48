"""What a load test aims at: all that its users need to know of a stack, and nothing else of it."""

from __future__ import annotations

import ssl
from functools import cached_property
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from slipway.meter.version import LOAD_AGENT
from slipway.settings.app import App
from slipway.settings.outputs import LOAD_HEADER, STICKY_COOKIE
from slipway.stack import LiveStack

__all__ = ["LOAD_HEADER", "STICKY_COOKIE", "Aim", "aim_at"]


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

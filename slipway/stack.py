"""The live stack as checks and load tests see it: the one public door of slipway for them.

live = open_live("prod")
live.url, live.app, live.outputs, live.secret("CRON_SECRET"), live.hidden("text with a secret in it")
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from slipway.release.open import OpenStack
from slipway.secrets.contract import compose
from slipway.settings.app import App
from slipway.settings.checks import Number
from slipway.settings.errors import BadInput
from slipway.settings.outputs import Outputs
from slipway.settings.project import Project, open_project
from slipway.settings.stack import Stack

__all__ = ["LiveStack", "open_live"]


class LiveStack:
    """One stack that is up. Nothing is read before it is asked for; nothing in here changes anything."""

    def __init__(self, project: Project) -> None:
        self._opened = OpenStack(project)

    @property
    def name(self) -> str:
        """Of the stack."""
        return self._opened.project.stack.name

    @property
    def app(self) -> App:
        """slipway.toml."""
        return self._opened.project.app

    @property
    def app_dir(self) -> Path:
        """The folder that slipway.toml lies in."""
        return self._opened.project.app_dir

    @property
    def stack(self) -> Stack:
        """The stack's settings."""
        return self._opened.project.stack

    @property
    def state_dir(self) -> Path:
        """Where the operator's side keeps what belongs to this stack; reports go below it."""
        return self._opened.project.state_dir

    @property
    def opened(self) -> OpenStack:
        """Hosts with their connections and agents, ledger and builds bucket: to be read."""
        return self._opened

    @property
    def outputs(self) -> Outputs:
        """What the platform promised. Raises BadInput if the stack is not up."""
        return self._opened.outputs

    @property
    def url(self) -> str:
        """Public URL, without a trailing slash."""
        return self.outputs.url.rstrip("/")

    @property
    def host_name(self) -> str:
        """Host name in the URL."""
        return urlsplit(self.url).hostname or "localhost"

    @property
    def cheap_path(self) -> str:
        """What may be asked for again and again: the web process' health path."""
        return self.app.web.health if self.app.web else "/"

    @property
    def address(self) -> tuple[str, int]:
        """Where to connect to for the URL: its own host, or what `outputs.connect` says instead."""
        parts = urlsplit(self.url)
        if self.outputs.connect:
            host, _, port = self.outputs.connect.rpartition(":")
            return host, int(port)
        return parts.hostname or "localhost", parts.port or (443 if parts.scheme == "https" else 80)

    @property
    def plain_address(self) -> tuple[str, int]:
        """Where plain HTTP is answered, only to be sent on to HTTPS."""
        host, _ = self.address
        return host, self.stack.local.http_port if self.stack.platform == "local" else 80

    @property
    def release(self) -> int | None:
        """The release that serves: one that has switched but is not promoted yet, else the last good one."""
        ledger = self._opened.ledger
        under_way = ledger.unfinished()
        if under_way is not None and under_way.status == "live":
            return under_way.target or under_way.number
        return ledger.head().live

    @property
    def secrets(self) -> Mapping[str, str]:
        """All values of the secret store, by name."""
        return self._opened.secrets

    def secret(self, name: str) -> str:
        """The value called `name`; empty if the store has none."""
        return self.secrets.get(name, "")

    @cached_property
    def smoke_env(self) -> Mapping[str, str]:
        """The env of scope `smoke`: what the smoke steps are filled from."""
        project = self._opened.project
        return compose(project.app, project.stack, self.outputs, self.secrets, "smoke")

    def number(self, given: Number | None) -> int | None:
        """A `[checks]` number: itself, or the value of the plain env entry that it names."""
        if given is None or isinstance(given, int):
            return given
        var = self.app.env.get(given)
        value = self.stack.env.get(given, var.value if var else None)
        if value is None or not value.isdecimal():
            raise BadInput(
                f"slipway.toml checks: {given} is no env entry with a whole number as its plain value",
                remedy="write the number itself, or the name of such an entry",
            )
        return int(value)

    @property
    def load_key(self) -> str:
        """Sent as X-Slipway-Load it lets a client past the per-address limits; empty: there is none."""
        return self.secret(self.outputs.load_header_secret)

    def hidden(self, text: str) -> str:
        """`text` with every secret value blotted out."""
        return self._opened.redactor.text(text)


def open_live(stack: str) -> LiveStack:
    """The stack called `stack` of the project in or above the current folder.

    Raises BadInput: no such stack, settings that cannot be read.
    """
    return LiveStack(open_project(stack))

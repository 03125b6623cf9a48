"""Traffic at a live stack: load tests with verdicts, the meter that counts every loss, and signing in.

What `loadtests/`, `checks/` and an app's own load tests may use is named here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from slipway.settings import App, Step
from slipway.traffic.sign_in import (
    Answer,
    Send,
    Session,
    fill,
    fill_body,
    fill_message,
    identity_of,
    pick,
    sign_in,
    sign_in_steps,
    signed_in_steps,
    steps_needed,
)

if TYPE_CHECKING:
    from slipway.traffic.conversation import Conversation
    from slipway.traffic.http_user import HttpUser
    from slipway.traffic.socket_user import SocketUser

__all__ = [
    "Answer",
    "App",
    "Conversation",
    "HttpUser",
    "Send",
    "Session",
    "SocketUser",
    "Step",
    "fill",
    "fill_body",
    "fill_message",
    "identity_of",
    "pick",
    "sign_in",
    "sign_in_steps",
    "signed_in_steps",
    "steps_needed",
]

_USERS = {"HttpUser": "http_user", "SocketUser": "socket_user", "Conversation": "conversation"}


def __getattr__(name: str) -> object:
    """The users of load tests, imported on first use: locust takes a second and patches the standard library.

    Only load tests use them, so this also gives locust the options `--stack`, `--i-know` and `--report-dir`.
    """
    if name not in _USERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from slipway.traffic.locust_plugin import register  # noqa: PLC0415 - imports locust

    register()
    return getattr(import_module(f"{__name__}.{_USERS[name]}"), name)

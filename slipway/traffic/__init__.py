"""Traffic at a live stack: load tests with verdicts, the meter that counts every loss, and signing in.

What `loadtests/`, `checks/` and an app's own load tests may use is named here.
"""

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
)

if TYPE_CHECKING:
    from slipway.traffic.conversation import Conversation
    from slipway.traffic.users import HttpUser, SocketUser

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
]


def __getattr__(name: str) -> object:
    """The users of load tests, imported on first use: locust takes a second and patches the standard library.

    Only load tests use them, so this also gives locust the options `--stack`, `--i-know` and `--report-dir`.
    """
    if name not in ("HttpUser", "SocketUser", "Conversation"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from slipway.traffic import locust_plugin, users  # noqa: PLC0415

    locust_plugin.register()
    return getattr(users, name)

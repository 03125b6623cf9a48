"""The kinds of what is timed. Each is judged by itself: an instant echo must not hide a slow page."""

from __future__ import annotations

from typing import Final

HTTP: Final = "HTTP"
"""A request, from its intended start to the last byte of its answer."""
CONNECT: Final = "WS connect"
"""TCP, TLS and the handshake, from the moment at which the client meant to connect."""
OPEN: Final = "WS open"
"""The opening messages of slipway.toml, until each is answered."""
ECHO: Final = "WS echo"
"""A message there and its answer back, from the moment at which it was meant to be sent."""
BROADCAST: Final = "WS broadcast"
"""From a write's intended start by one user until another user's socket tells of it."""
BACKLOG: Final = "WS backlog"
"""The same for a user that reads nothing for a while: how old things are when it has caught up."""
SESSION: Final = "WS session"
"""How long a connection lasted; an error if it ended other than by an orderly goodbye."""
VISIT: Final = "visit"
"""A visit that could not go on, and no request of its own to blame for it: always an error."""

ONCE: Final = frozenset({CONNECT, OPEN, SESSION})
"""Kinds that come once a connection, most of them as the load rises: judged in the whole run."""
DURATIONS: Final = frozenset({SESSION, BACKLOG})
"""Kinds whose time is no latency: long is not bad, so no bound in milliseconds holds for them by default."""

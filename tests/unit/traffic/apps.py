"""Apps as tests make them up: the least that slipway.toml may say, and `[load]` as wanted."""

from __future__ import annotations

from typing import Any

from slipway.settings import App
from slipway.traffic.profile import Leg, Schedule

ECHO = '{"type":"PING","n":${n}}'
OPEN = '{"type":"AUTH","token":"${token}"}'


def app(*, load: dict[str, Any] | None = None, **more: Any) -> App:
    written: dict[str, Any] = {
        "name": "board",
        "runtime": {"name": "none"},
        "processes": {"web": {"command": "true"}},
        "load": load or {},
        **more,
    }
    return App.model_validate(written)


def talking_app(*, load: dict[str, Any] | None = None, **more: Any) -> App:
    """One with a WebSocket, and somebody who signs in."""
    return app(
        load=load,
        websocket={"echo": ECHO, "open": [OPEN], "notice": "SHUTDOWN", "close_codes": [1000, 1001]},
        smoke={"steps": STEPS},
        checks={"write": WRITE},
        env={"PASSWORD": {"secret": True, "scope": ["web", "smoke"]}},
        **more,
    )


WRITE = {"request": "POST /tasks", "json": {"title": "${n}"}, "undo": "DELETE /tasks/${id}"}
STEPS: list[dict[str, Any]] = [
    {"name": "refuses strangers", "request": "GET /tasks", "status": 401},
    {
        "name": "signs in",
        "request": "POST /sign-in",
        "json": {"password": "${PASSWORD}"},
        "capture": {"token": "token"},
    },
    {"name": "reads", "request": "GET /tasks", "headers": {"Authorization": "Bearer ${token}"}},
    {
        "name": "writes",
        "request": "POST /tasks",
        "headers": {"Authorization": "Bearer ${token}"},
        "json": {"title": "x"},
        "status": 201,
    },
]


def rate_at(schedule: Schedule, at: float) -> float:
    """Arrivals a second, `at` seconds after the start."""
    return next((_between(leg.rate_from, leg.rate_to, leg, at) for leg in schedule.legs if _in(leg, at)), 0.0)


def sockets_at(schedule: Schedule, at: float) -> float:
    """Sockets that should be open then."""
    legs = (leg for leg in schedule.legs if _in(leg, at))
    return next((_between(leg.sockets_from, leg.sockets_to, leg, at) for leg in legs), 0.0)


def _in(leg: Leg, at: float) -> bool:
    return bool(leg.seconds) and leg.begins <= at < leg.ends


def _between(start: float, end: float, leg: Leg, at: float) -> float:
    return start + (end - start) * (at - leg.begins) / leg.seconds

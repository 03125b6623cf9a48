"""Sign in as a user would, and keep what the answers give (tokens) for a few minutes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

import aiohttp

from slipway.meter.client import Clients, Closed
from slipway.meter.fill import captured, fill, fill_body
from slipway.settings.errors import SlipwayError

FRESH_SECONDS = 240.0


class SignIn:
    """Runs the target's sign-in steps when asked for captures that are older than four minutes."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._lock = asyncio.Lock()
        self._captures: Mapping[str, str] = {}
        self._at = -FRESH_SECONDS

    async def captures(self) -> Mapping[str, str]:
        """Name → value. SlipwayError names the step that failed, and never a value."""
        async with self._lock:
            if time.monotonic() - self._at >= FRESH_SECONDS:
                self._captures = await self._run()
                self._at = time.monotonic()
            return self._captures

    async def _run(self) -> Mapping[str, str]:
        target = self._clients.target
        values = dict(target.values)
        captures: dict[str, str] = {}
        async with self._clients.client() as client:
            for step in target.sign_in:
                method, path = step.request.split(" ", 1)
                body = None if step.body is None else fill_body(step.body, values)
                try:
                    async with client.request(
                        method,
                        target.url + fill(path, values),
                        headers={name: fill(value, values) for name, value in step.headers.items()},
                        json=body,
                        allow_redirects=False,
                    ) as answer:
                        text = await answer.text()
                except (aiohttp.ClientError, TimeoutError, OSError, Closed) as error:
                    raise SlipwayError(
                        f"sign-in step {step.name!r}: no answer ({type(error).__name__})"
                    ) from error
                if answer.status != step.status:
                    raise SlipwayError(
                        f"sign-in step {step.name!r}: expected {step.status}, got {answer.status}",
                        remedy="try it with `slipway release`, whose smoke phase runs the same step",
                    )
                for name, dotted in step.capture.items():
                    captures[name] = values[name] = captured(step.name, text, dotted)
        return captures

"""One WebSocket connection: echoes that must be answered, and how the server says goodbye."""

from __future__ import annotations

import asyncio
import contextlib
import re

import aiohttp

from slipway.meter.tally import Tally
from slipway.settings.app import WebSocket

ECHO_SECONDS = 5.0
_NUMBERS = re.compile(r"\d{9,}")


class Abnormal(Exception):
    """A connection ended as none should. `kind` as in the report's losses."""

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(kind)
        self.kind = kind
        self.detail = detail


class Conversation:
    """What was asked on a connection and is not answered yet, and whether the server announced its end."""

    def __init__(
        self, link: aiohttp.ClientWebSocketResponse, settings: WebSocket, tally: Tally, first_number: int
    ) -> None:
        self.link = link
        self.next_number = first_number
        self._settings = settings
        self._tally = tally
        self._waiting: dict[str, float] = {}
        """Echo number → second after the start at which it was meant to be sent."""
        self._told = settings.notice == ""

    async def run(self, stopping: asyncio.Event) -> None:
        """Echo each second until the server closes in order, or until stopped; Abnormal for any other end."""
        tasks = {asyncio.create_task(self._listen()), asyncio.create_task(self._echo(stopping))}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def hear(self, message: aiohttp.WSMessage) -> bool:
        """Take in a message. True if the connection ended in order; Abnormal if it ended otherwise."""
        match message.type:
            case aiohttp.WSMsgType.TEXT | aiohttp.WSMsgType.BINARY:
                self._take(
                    message.data if isinstance(message.data, str) else bytes(message.data).decode("latin-1")
                )
                return False
            case aiohttp.WSMsgType.CLOSE:
                code = int(message.data) or 1005
                if code not in self._settings.close_codes:
                    raise Abnormal(f"code {code}", str(message.extra or "")[:200])
                if not self._told:
                    raise Abnormal(f"code {code} without notice")
                self._tally.cut(len(self._waiting))
                return True
            case aiohttp.WSMsgType.ERROR:
                raise Abnormal("protocol", str(message.data)[:200])
            case _:
                raise Abnormal("no close frame")

    async def _listen(self) -> None:
        while not self.hear(await self.link.receive()):
            pass

    async def _echo(self, stopping: asyncio.Event) -> None:
        due = self._tally.now()
        while True:
            if self._waiting and self._tally.now() - next(iter(self._waiting.values())) > ECHO_SECONDS:
                raise Abnormal("echo unanswered")
            if stopping.is_set():
                if not self._waiting:
                    return
                await asyncio.sleep(0.05)
                continue
            if self._settings.echo and (not self._told or not self._settings.notice):
                await self._ask(due)
            due += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), max(due - self._tally.now(), 0))

    async def _ask(self, due: float) -> None:
        number = str(self.next_number)
        self.next_number += 1
        self._waiting[number] = due
        with contextlib.suppress(aiohttp.ClientError, ConnectionError):  # the listener tells how it ended
            await self.link.send_str(self._settings.echo.replace("${n}", number))

    def _take(self, text: str) -> None:
        if self._settings.notice and self._settings.notice in text:
            self._told = True
        for number in _NUMBERS.findall(text):
            due = self._waiting.pop(number, None)
            if due is not None:
                ms = (self._tally.now() - due) * 1000
                if ms > ECHO_SECONDS * 1000:
                    raise Abnormal("echo unanswered", f"answered after {ms:.0f} ms")
                self._tally.echoed(ms)

"""A WebSocket client: opens, signs in, echoes every second, and stays connected as a real one would."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Mapping

import aiohttp

from slipway.settings.app import WebSocket
from slipway.settings.errors import SlipwayError
from slipway.traffic.meter.browser import TIMEOUT_SECONDS, Clients, Closed, kind_of, seen_in
from slipway.traffic.meter.tally import NOTHING, Tally
from slipway.traffic.sign_in import captured, fill, fill_body, fill_message

PAUSE_SECONDS = 1.0
FIRST_NUMBER = 100_000_000
NUMBERS_EACH = 10_000


class Socket:
    """One of the meter's WebSocket clients, with cookies and connections of its own."""

    def __init__(self, number: int, clients: Clients, sign_in: SignIn, tally: Tally) -> None:
        settings = clients.target.websocket
        assert settings is not None
        self._number = number
        self._settings = settings
        self._origin = clients.target.url
        self._client = clients.client(jar=clients.jar(number), on_headers=self._note)
        self._sign_in = sign_in
        self._tally = tally
        self._seen = NOTHING
        self._first_echo = FIRST_NUMBER + number * NUMBERS_EACH
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Let `run` return once the echoes under way are answered."""
        self._stopping.set()

    async def run(self) -> None:
        """Stay connected until stopped, and count how every connection ended."""
        again = False
        async with self._client:
            while not self._stopping.is_set():
                try:
                    again = await self._connection(again=again)
                except Abnormal as end:
                    again = False
                    self._tally.abnormal(self._number, end.kind, self._seen, end.detail)
                    await self._pause(PAUSE_SECONDS)

    async def _connection(self, *, again: bool) -> bool:
        """One connection, from handshake to end. True after an orderly end, Abnormal after any other."""
        self._seen = NOTHING
        try:
            captures = await self._sign_in.captures()
            link = await self._client.ws_connect(
                self._origin + self._settings.path, origin=self._origin, max_msg_size=0
            )
        except SlipwayError as error:
            raise Abnormal("sign-in", error.message) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Abnormal(f"open: {kind_of(error)}", str(error)[:200]) from error
        talk = Conversation(link, self._settings, self._tally, self._first_echo)
        try:
            if not await self._greet(talk, captures):
                await self._pause(0.1)
                return True
            self._tally.opened(again=again)
            try:
                await talk.run(self._stopping)
            finally:
                self._tally.closed()
        finally:
            self._first_echo = talk.next_number
            with contextlib.suppress(TimeoutError, aiohttp.ClientError, OSError):
                await asyncio.wait_for(link.close(), 2)
        return True

    async def _greet(self, talk: Conversation, captures: Mapping[str, str]) -> bool:
        """Send the opening messages; each is answered by a message. False: closed in order meanwhile."""
        try:
            for message in self._settings.open:
                await talk.link.send_str(fill_message(message, captures))
                async with asyncio.timeout(TIMEOUT_SECONDS):
                    if talk.hear(await talk.link.receive()):
                        return False
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise Abnormal("open: no answer", type(error).__name__) from error
        return True

    def _note(self, headers: Mapping[str, str]) -> None:
        self._seen = seen_in(headers)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)


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

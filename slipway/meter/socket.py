"""A WebSocket client: opens, signs in, echoes every second, and stays connected as a real one would."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping

import aiohttp

from slipway.meter.browser import kind_of, seen_in
from slipway.meter.client import TIMEOUT_SECONDS, Clients
from slipway.meter.conversation import Abnormal, Conversation
from slipway.meter.fill import fill_message
from slipway.meter.sign_in import SignIn
from slipway.meter.tally import NOTHING, Tally
from slipway.settings.errors import SlipwayError

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

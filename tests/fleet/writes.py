"""Steady POSTs to the board while something happens to the fleet. Each makes one row, which names it."""

import http.client
import json
import ssl
import threading
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager, suppress
from select import select
from uuid import uuid4

from slipway.settings import STICKY_COOKIE
from slipway.stack import LiveStack
from tests.fleet.site import Site

CLIENTS = 24
TIMEOUT_SECONDS = 20


class Writes:
    """What was sent and how it was answered; `done` is there once the `with` has ended."""

    def __init__(self, site: Site, clients: int) -> None:
        live, self._clients = LiveStack(site.project), clients
        self._site, self._key, self._address = site, live.load_key, live.address
        self._host = live.url.removeprefix("https://").rstrip("/")
        self._context = ssl.create_default_context(cafile=site.outputs.ca_file)
        self._web = [host.name for host in site.outputs.by_role("web")]
        self._token = sign_in(site, live)
        self._lock = threading.Lock()
        self.run = uuid4().hex[:8]
        self.ended = threading.Event()
        self.answers = Counter[str]()
        """How often each status, or kind of error, was the answer."""
        self.unanswered: list[str] = []
        """Titles whose answer was not 201, and why."""
        self.sent = 0
        self.done = Counter[str]()
        """How many rows each title has."""

    @property
    def lost(self) -> list[str]:
        """Titles that have no row."""
        return [name for number in range(self.sent) if (name := title(self.run, number)) not in self.done]

    @property
    def twice(self) -> list[str]:
        """Titles that have more than one."""
        return [name for name, count in self.done.items() if count > 1]

    def assert_each_was_done_once(self) -> None:
        assert self.sent > self._clients, "no writes are no proof"
        assert self.answers == {"201": self.sent}, (self.answers, self.unanswered[:20])
        assert not self.lost, self.lost[:20]
        assert not self.twice, self.twice[:20]

    def send(self, client: int, rate: float, begun: float) -> None:
        """One of the clients: its part of `rate` requests a second, on a connection that it keeps."""
        connection: http.client.HTTPSConnection | None = None
        turn = client
        while not self.ended.is_set():
            turn += self._clients
            if self.ended.wait(max(begun + turn / rate - time.monotonic(), 0)):
                break
            with self._lock:
                name = title(self.run, self.sent)
                self.sent += 1
            try:
                if connection is not None and is_closed(connection):
                    connection.close()
                    connection = None
                connection = connection or self._connect()
                said = self._post(connection, client, name)
            except (OSError, http.client.HTTPException) as error:
                said = f"{type(error).__name__}: {error}"
                connection = None
            with self._lock:
                self.answers[said] += 1
                if said != "201":
                    self.unanswered.append(f"{name}: {said}")
        if connection is not None:
            connection.close()

    def _connect(self) -> http.client.HTTPSConnection:
        connection = http.client.HTTPSConnection(self._host, timeout=TIMEOUT_SECONDS, context=self._context)
        connection.connect()
        return connection

    def _post(self, connection: http.client.HTTPSConnection, client: int, name: str) -> str:
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Content-Type": "application/json",
            "Cookie": f"{STICKY_COOKIE}={self._web[client % len(self._web)]}",
            "X-Slipway-Load": self._key,
        }
        connection.request("POST", "/api/tasks", json.dumps({"title": name}), headers)
        answer = connection.getresponse()
        answer.read()
        return str(answer.status)


def title(run: str, number: int) -> str:
    return f"Write {run} {number}"


def is_closed(connection: http.client.HTTPSConnection) -> bool:
    """True if the edge has closed the kept connection: what is sent on it then was never sent."""
    return connection.sock is None or bool(select([connection.sock], [], [], 0)[0])


def sign_in(site: Site, live: LiveStack) -> str:
    values = live.smoke_env
    body = {"email": values["SMOKE_EMAIL"], "password": values["SMOKE_PASSWORD"]}
    return site.client.post("/api/auth/sign-in", json=body).raise_for_status().json()["accessToken"]


def rows(site: Site, run: str, statement: str) -> str:
    database = site.outputs.database
    assert database is not None
    psql = f"psql -qAtX -d {database.name} -c \"{statement} WHERE title LIKE 'Write {run} %'\""
    return site.on("data1", f"cd / && runuser -u postgres -- {psql}")


@contextmanager
def writes(site: Site, rate: float = 100, clients: int = CLIENTS) -> Generator[Writes]:
    """`rate` POSTs a second inside the `with`; their rows are counted at its end, and deleted.

    A client sends when its turn has come and its last request is answered: late answers lower the rate.
    """
    found = Writes(site, clients)
    begun = time.monotonic()
    senders = [threading.Thread(target=found.send, args=(number, rate, begun)) for number in range(clients)]
    try:
        for sender in senders:
            sender.start()
        time.sleep(2)
        yield found
        time.sleep(2)
    finally:
        found.ended.set()
        for sender in senders:
            sender.join(TIMEOUT_SECONDS + 5)
        found.done.update(rows(site, found.run, "SELECT title FROM tasks").split("\n"))
        found.done.pop("", None)
        with suppress(Exception):
            rows(site, found.run, "DELETE FROM tasks")

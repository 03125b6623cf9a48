"""How requests and sockets find a host, and how a message finds every socket."""

import asyncio
import json
import ssl
from typing import Any

import aiohttp
import pytest

from slipway.platforms.local.docker import Docker
from slipway.stack import LiveStack
from tests.debian import VERSION
from tests.fleet.site import Site

pytestmark = pytest.mark.fleet


def test_a_client_keeps_its_host_across_requests_and_reconnects(site: Site):
    async def served_by(rounds: int) -> list[set[str]]:
        clients: list[set[str]] = []
        for _ in range(6):
            jar = aiohttp.CookieJar(unsafe=True)
            hosts: set[str] = set()
            for _ in range(rounds):
                # A new connection each time: what keeps the host is the cookie.
                connector = aiohttp.TCPConnector(ssl=_tls(site))
                async with aiohttp.ClientSession(cookie_jar=jar, connector=connector) as client:
                    for _ in range(3):
                        async with client.get(f"{site.outputs.url}/health") as answer:
                            hosts.add(answer.headers["X-Served-By"])
            clients.append(hosts)
        return clients

    assert all(len(hosts) == 1 for hosts in asyncio.run(served_by(4)))


def test_a_message_sent_to_one_host_reaches_a_socket_on_the_other(site: Site):
    async def talk() -> dict[str, Any]:
        token = await _sign_in(site)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=_tls(site))) as client:
            speaker = await _socket(site, client, "web1", token)
            listener = await _socket(site, client, "web2", token)
            assert await _host_of(speaker) == "web1"
            assert await _host_of(listener) == "web2"
            await speaker.send_json({"type": "SAY", "meta": {}, "payload": {"text": "across the fleet"}})
            return await _until(listener, "SAID")

    said = asyncio.run(talk())
    assert said["payload"]["text"] == "across the fleet"
    assert said["payload"]["host"] == "web1"


def test_what_is_private_is_not_found_from_outside(site: Site):
    for path in site.project.app.private_paths:
        assert site.get(path).status_code == 404, path


def test_http2_is_spoken_where_it_brings_early_answers_whole(site: Site):
    """HAProxy ends them well from 3.0 on; that of Debian 12 speaks HTTP/1.1 only."""

    def ask(path: str, upload: int) -> list[str]:
        send = f"head -c {upload} /dev/zero > /tmp/zeros; curl --request POST --upload-file /tmp/zeros"
        facts = "--write-out '\\n%{http_version} %{http_code}'"
        script = f"{send if upload else 'curl'} --silent --show-error --insecure --http2 {facts} https://localhost{path}"
        answer, _, told = Docker().execute(f"{site.project.fleet_id}-edge", script).rpartition("\n")
        assert answer.rstrip().endswith(("}", "</html>")), answer
        return told.split()

    if VERSION < 13:
        assert ask("/health", 0) == ["1.1", "200"]
        return
    assert ask("/health", 0) == ["2", "200"]
    limit = site.project.app.limits.body_bytes
    assert [ask("/api/tasks", 4 * limit) for _ in range(5)] == [["2", "413"]] * 5
    assert [ask("/api/tasks", limit // 2) for _ in range(5)] == [["2", "422"]] * 5


def test_forwarded_headers_from_outside_are_not_believed(site: Site):
    """A rotating X-Forwarded-For must not give a client a fresh limit each time (X8)."""
    limit = site.project.app.limits.requests_per_minute
    with site.stranger(**{"X-Load-Test": "verified"}) as client:
        answers = [
            client.get("/health", headers={"X-Forwarded-For": f"203.0.113.{n % 250}"}).status_code
            for n in range(limit + 60)
        ]
    assert 429 in answers
    assert set(answers) <= {200, 429}


async def _sign_in(site: Site) -> str:
    stack = LiveStack(site.project)
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=_tls(site)), headers=_load(site)) as client,
        client.post(
            f"{site.outputs.url}/api/auth/sign-in",
            json={"email": "smoke@board.example", "password": stack.secrets["SMOKE_PASSWORD"]},
        ) as answer,
    ):
        assert answer.status == 200, await answer.text()
        return str((await answer.json())["accessToken"])


async def _socket(
    site: Site, client: aiohttp.ClientSession, host: str, token: str
) -> aiohttp.ClientWebSocketResponse:
    headers = {"Cookie": f"SLIPWAY_HOST={host}", **_load(site)}
    socket = await client.ws_connect(f"{site.outputs.url}/ws", headers=headers)
    await socket.send_str(json.dumps({"type": "AUTH", "meta": {}, "payload": {"token": token}}))
    await _until(socket, "AUTHENTICATED")
    return socket


async def _host_of(socket: aiohttp.ClientWebSocketResponse) -> str:
    await socket.send_json({"type": "PING", "meta": {}, "payload": {"n": 1}})
    return str((await _until(socket, "PONG"))["payload"]["host"])


async def _until(socket: aiohttp.ClientWebSocketResponse, kind: str) -> dict[str, Any]:
    async with asyncio.timeout(10):
        while True:
            message = await socket.receive_json()
            if message["type"] == kind:
                return message


def _load(site: Site) -> dict[str, str]:
    return {"X-Slipway-Load": LiveStack(site.project).secrets["SLIPWAY_LOAD_KEY"]}


def _tls(site: Site) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=site.outputs.ca_file)

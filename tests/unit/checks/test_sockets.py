"""Checks of WebSockets on a small app behind an edge, whose sign-in takes its time, as on a busy host."""

from __future__ import annotations

from pathlib import Path

import pytest

from hosts.plan import FleetPlan
from tests.unit.checks.test_foreign_site import behind_an_edge, checks_from_outside
from tests.unit.hosts.conftest import plan

__all__ = ["plan"]

ECHOES = """
import asyncio, os
from pathlib import Path
from aiohttp import web

async def sign_in(request):
    if (await request.json()) != {"password": "correct-horse-battery"}:
        raise web.HTTPUnauthorized
    with Path("signed-in").open("a") as file:
        file.write("once\\n")
    await asyncio.sleep(SECONDS)
    return web.json_response({"token": "t0ken"})

async def socket(request):
    client = web.WebSocketResponse()
    await client.prepare(request)
    if (await client.receive_json()) != {"token": "t0ken"}:
        await client.close(code=4401)
    await client.send_json({"welcome": True})
    async for message in client:
        await client.send_str(message.data)
    return client

async def up(request):
    return web.json_response({"up": True})

app = web.Application()
app.add_routes([web.post("/sign-in", sign_in), web.get("/ws", socket), web.get("/up", up)])
web.run_app(app, host="127.0.0.1", port=int(os.environ["PORT"]))
"""
SETTINGS = """
name = "echoes"
runtime = { name = "none" }
[processes.web]
command = "python3 web.py"
health = "/up"
ready = "/up"
[env.SMOKE_PASSWORD]
value = "correct-horse-battery"
scope = ["smoke"]
[websocket]
open = ['{"token":"${token}"}']
echo = '{"number":${n}}'
[[smoke.steps]]
name = "sign in"
request = "POST /sign-in"
json = { password = "${SMOKE_PASSWORD}" }
capture = { token = "token" }
"""


@pytest.mark.parametrize("seconds", [1, 11], ids=["soon", "late"])
def test_one_sign_in_serves_every_socket_of_a_run(plan: FleetPlan, tmp_path: Path, seconds: int) -> None:
    app = tmp_path / "app"
    app.mkdir()
    (app / "web.py").write_text(f"SECONDS = {seconds}\n{ECHOES}")
    (app / "slipway.toml").write_text(SETTINGS)
    with behind_an_edge(plan, tmp_path, app) as place:
        found = checks_from_outside(place, "--only", "X6/the-smoke-user,X12/a-socket-opens,X12/a-quiet")
    assert found.ids("pass") == {
        "X6/the-smoke-user-signs-in", "X12/a-socket-opens-and-echoes", "X12/a-quiet-socket-stays-open"
    }, found.said  # fmt: skip
    assert (app / "signed-in").read_text().split() == ["once"]

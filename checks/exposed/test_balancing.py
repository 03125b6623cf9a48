"""Load balancing: several hosts as one site (I1, I2, X14)."""

from __future__ import annotations

import time
from contextlib import ExitStack

from checks.exposed.sockets import heard, opened, parsed
from checks.kit.check import check, not_evaluated
from checks.kit.needs import SECOND_WEB_HOST
from checks.kit.roots import Roots
from checks.kit.site import Person, Site
from slipway.stack import LOAD_HEADER


@check(
    "X14",
    "I4",
    severity="critical",
    why="users on different hosts do not see each other's changes",
    remedy="broadcasts go through Redis: is it reachable from every web host, with the same namespace?",
    needs=("smoke.steps", "websocket", "checks.write"),
)
def test_a_message_reaches_clients_on_every_host(site: Site, person: Person, roots: Roots) -> None:
    write = site.live.app.checks.write
    if write is None:
        not_evaluated("declare [checks.write] in slipway.toml")
    outputs = site.live.outputs
    # Without a cookie that names the host, several clients reach several hosts by chance.
    homes = [host.name for host in outputs.by_role("web")] if outputs.host_cookie else [""] * 4
    mark = f"n{time.time_ns():x}"
    with ExitStack() as stack:
        clients = [stack.enter_context(opened(site, roots, _at_home(site, home))) for home in homes]
        answer = person.ask(write.request, {"n": mark}, write.body)
        assert answer.status_code == write.status, f"{write.request} answers {answer.status_code}"
        try:
            for home, client in zip(homes, clients, strict=True):
                assert heard(client, write.heard.replace("${n}", mark)), home
        finally:
            if write.undo:
                person.ask(write.undo, {"id": str(parsed(answer.text).get("id", ""))})


@check(
    "I2",
    severity="high",
    why="a client that changes hosts with every request loses its state on the host",
    remedy="edge.cfg: the sticky cookie; aws: the target group's stickiness",
)
def test_a_client_stays_on_its_host(site: Site) -> None:
    path = site.live.cheap_path
    first = site.get(path)
    cookies = [line.partition(";")[0] for line in first.headers.get_list("set-cookie")]
    assert cookies, "the load balancer sets no cookie"
    served = {
        site.get(path, headers={"Cookie": "; ".join(cookies)}).headers.get("x-served-by") for _ in range(8)
    }
    if served == {None}:
        not_evaluated("the app does not send its host's name (X-Served-By)")
    assert len(served) == 1, f"one client is served by {', '.join(sorted(str(each) for each in served))}"


@check(
    "I1",
    severity="critical",
    why="with a single API server, its failure is an outage",
    remedy="run two or more web hosts, in different zones",
    needs=(SECOND_WEB_HOST,),
)
def test_more_than_one_host_serves(site: Site) -> None:
    hosts = site.live.outputs.by_role("web")
    assert len(hosts) >= 2, f"the stack has {len(hosts)} web host"
    cookie = site.live.outputs.host_cookie
    if not cookie:
        return
    path = site.live.cheap_path
    for host in hosts:
        answer = site.get(path, headers={"Cookie": f"{cookie}={host.name}"})
        served = answer.headers.get("x-served-by", host.name)
        assert answer.status_code == 200, f"{host.name} answers {answer.status_code}"
        assert served == host.name, f"a client of {host.name} is served by {served}"


def _at_home(site: Site, host: str) -> dict[str, str]:
    key = {LOAD_HEADER: site.live.load_key} if site.live.load_key else {}
    return {**key, **({"Cookie": f"{site.live.outputs.host_cookie}={host}"} if host else {})}

"""Checks of the load balancers fail where one does less than it should."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager

import pytest

from tests.fleet.checks.breaking import EDGE, RELOAD, done, edge, file, rewritten, together
from tests.fleet.checks.harness import Case, prove
from tests.fleet.site import Site

WEB2 = ":8080 cookie web2"


def spare_instance(site: Site) -> AbstractContextManager[None]:
    """The first instance of each slot on web1 is only a backup."""

    def change(text: str) -> str:
        return re.sub(r"(    server (?:blue|green)-1 \S+)", r"\1 backup", text)

    return rewritten(site, "web1", EDGE, change, RELOAD)


BALANCER = (
    Case(
        "a host that is only a backup",
        edge(swap=(WEB2, f"{WEB2} backup")),
        red=("I1/every-web-host-takes-its-share",),
        run=("I1",),
        says="backup",
    ),
    Case(
        "a host with a sliver of the traffic",
        edge(swap=(":8080 cookie web1", ":8080 cookie web1 weight 200")),
        red=("I1/every-web-host-takes-its-share",),
        run=("I1",),
        says="weight",
    ),
    Case(
        "no health checks",
        lambda site: rewritten(site, "edge", EDGE, unchecked, RELOAD),
        red=("I1/web-hosts-are-health-checked",),
        run=("I1",),
        says="not health-checked",
    ),
    Case(
        "health checks that only open a connection",
        edge(drop="option httpchk|http-check "),
        red=("I1/web-hosts-are-health-checked",),
        run=("I1",),
        says="sends no request",
    ),
    Case(
        "an instance that is only a backup",
        spare_instance,
        red=("I1/every-instance-takes-its-share",),
        run=("I1/every-instance",),
        says="backup",
    ),
    Case(
        "silent tunnels are cut",
        edge(swap=("timeout tunnel 7d", "timeout tunnel 4s")),
        red=("I2/tunnels-may-be-silent-as-long-as-declared",),
        says="4 s",
    ),
    Case(
        "silent tunnels are cut on a web host",
        file("web2", EDGE, r"timeout tunnel 7d", "timeout tunnel 2m", RELOAD),
        red=("I2/tunnels-may-be-silent-as-long-as-declared",),
        says="120 s",
    ),
    Case(
        "a configuration that was not loaded",
        # Later than the few seconds for which a reload and a change look alike.
        together(
            done("edge", "sleep 8", RELOAD), file("edge", EDGE, "timeout queue 10s", "timeout queue 11s")
        ),
        red=("S8/haproxy-runs-the-configuration-in-its-file",),
        says="changed",
    ),
    Case(
        "no access log",
        edge("http-request set-log-level silent"),
        red=("I11/every-request-is-logged",),
        says="/health",
    ),
    Case(
        "refusals are not logged",
        edge("http-request set-log-level silent if { path_beg /ready }"),
        red=("I11/every-request-is-logged",),
        says="/ready",
    ),
)


def unchecked(text: str) -> str:
    """HAProxy's configuration without health checks, and without servers that follow another one's."""
    return re.sub(r" track web/\w+", "", text).replace(
        "default-server check inter 1s", "default-server no-check inter 1s"
    )


@pytest.mark.parametrize("case", BALANCER, ids=str)
def test_the_check_fails(whole: Site, case: Case) -> None:
    prove(whole, case)

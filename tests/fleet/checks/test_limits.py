"""Checks of limits and sockets fail on a site without them."""

from __future__ import annotations

import pytest

from tests.fleet.checks.breaking import answered, edge, settings, together, web_env, web_source
from tests.fleet.checks.harness import Case, prove, run_checks
from tests.fleet.site import Site

UNKNOWN_USER = '{ id: "00000000-0000-4000-8000-000000000000", name: "unknown", role: "member" }'

LIMITS = (
    Case(
        "no rate limit",
        edge("http-after-response set-status 200 if { status 429 }"),
        red=(
            "X7/too-many-requests-are-refused-whatever-x-forwarded-for-says",
            "X7/a-refused-client-gets-retry-after",
            "X8/headers-that-only-the-edge-may-set-have-no-effect",
        ),
    ),
    Case(
        "X-Forwarded-For is believed",
        edge(drop=r"del-header x-forwarded- -m beg|set-header X-Forwarded-For", at="    acl named_well"),
        red=(
            "X7/too-many-requests-are-refused-whatever-x-forwarded-for-says",
            "X7/a-refused-client-gets-retry-after",
            "X8/headers-that-only-the-edge-may-set-have-no-effect",
        ),
        says="none refused",
    ),
    Case(
        "any client may claim to be a load test",
        edge(drop="del-header x-load-test", at="    acl named_well"),
        red=("X8/headers-that-only-the-edge-may-set-have-no-effect",),
        says="is accepted",
    ),
    Case(
        "no Retry-After",
        edge("http-after-response del-header Retry-After"),
        red=("X7/a-refused-client-gets-retry-after",),
    ),
    Case(
        "bodies of any size",
        edge("http-after-response set-status 400 if { status 413 }", drop="body_over_limit"),
        red=("X9/a-body-over-the-limit-is-refused", "X9/a-chunked-body-over-the-limit-is-refused"),
    ),
    Case(
        "chunked bodies of any size",
        edge(
            "http-after-response set-status 400 if { status 413 } { req.hdr(transfer-encoding) -m found }",
            drop="body_over_limit",
        ),
        red=("X9/a-chunked-body-over-the-limit-is-refused",),
        run=("X9/a-body", "X9/a-chunked"),
    ),
    Case(
        "headers of any size",
        edge(
            answered(200, "fine", "{ req.hdr(x-long) -m found }", "text/plain"),
            swap=("tune.bufsize 32768", "tune.bufsize 262144"),
        ),
        red=("X9/headers-over-the-limit-are-refused",),
    ),
    Case(
        "any number of headers",
        edge(
            answered(200, "fine", "{ req.hdr(x-flood-999) -m found }", "text/plain"),
            swap=("tune.bufsize 32768", "tune.bufsize 131072\n    tune.http.maxhdr 2000"),
        ),
        red=("X9/a-flood-of-headers-is-refused",),
        run=("X9/a-flood",),
        says="1000",
    ),
    Case(
        "clients may be as slow and idle as they like",
        edge(
            swap=("timeout http-request 15s", "timeout http-request 10m"),
            drop="timeout http-keep-alive",
        ),
        red=("X7/slow-headers-are-cut-off", "X7/idle-connections-are-closed"),
        options=("--deep",),
    ),
    Case(
        "any Host is accepted",
        edge(drop="acl our_name|if !our_name", at="    http-request track-sc0 "),
        red=("X8/a-foreign-host-header-is-refused",),
    ),
)

SOCKETS = (
    Case(
        "no sockets",
        edge("http-request deny deny_status 503 if { req.hdr(upgrade) -m found }"),
        red=("X12/a-socket-opens-and-echoes",),
        alone=True,
    ),
    Case(
        "sockets of every origin",
        edge("http-request set-header Origin https://%[req.hdr(host)] if { req.hdr(upgrade) -m found }"),
        red=("X12/a-socket-from-a-foreign-origin-is-refused",),
    ),
    Case(
        "a plain answer where sockets are",
        edge(answered(200, "hello", "{ path /ws } !{ req.hdr(upgrade) -m found }", "text/plain")),
        red=("X12/the-sockets-path-refuses-plain-requests",),
    ),
    Case(
        "sockets without limits",
        web_env(
            WS_AUTH_TIMEOUT_MS="60000",
            WS_CONNECTIONS_PER_IP="1000",
            WS_MAX_PAYLOAD="8000000",
            WS_MESSAGE_LIMIT="100000",
        ),
        red=(
            "X12/a-socket-that-does-not-sign-in-is-closed",
            "X12/a-message-over-the-limit-closes-the-socket",
            "X7/too-many-messages-are-refused",
            "X7/too-many-sockets-of-one-address-are-refused",
        ),
        run=("X12", "X7/too-many-messages", "X7/too-many-sockets"),
    ),
    Case(
        "idle sockets stay open",
        settings("^idle_ms = .*$", "idle_ms = 1000"),
        red=("X12/a-silent-socket-is-closed",),
        says="still open",
    ),
    Case(
        "messages without a schema are accepted",
        settings("^invalid = .*$", """invalid = '{"type":"PING","meta":{},"payload":{"n":1}}'"""),
        red=("X12/a-message-that-fits-no-schema-is-refused",),
    ),
    Case(
        "tokens are not verified",
        web_source("src/auth/tokens.ts", "return claims &&", f"if (!claims) return {UNKNOWN_USER}; return"),
        red=("X12/a-wrong-token-does-not-sign-in",),
        run=("X12/a-wrong-token", "X12/a-socket-opens"),
    ),
    Case(
        "messages are not broadcast",
        edge(answered(201, '{"id":"none"}', "{ path /api/tasks } { method POST }")),
        red=("X14/a-message-reaches-clients-on-every-host", "S2/a-user-reads-what-was-written"),
    ),
    Case(
        "clients change hosts",
        edge(drop="cookie SLIPWAY_HOST insert", swap=("balance source", "balance roundrobin")),
        red=("I2/a-client-stays-on-its-host",),
        alone=True,
    ),
    Case(
        "one host serves all",
        edge(swap=(":8080 cookie web2", ":8080 cookie web2 disabled")),
        red=("I1/more-than-one-host-serves",),
    ),
)


@pytest.mark.parametrize("case", [*LIMITS, *SOCKETS], ids=str)
def test_the_check_fails(whole: Site, case: Case) -> None:
    prove(whole, case)


def test_a_socket_that_is_closed_in_time_is_good(whole: Site) -> None:
    """The other half of `silent sockets stay`: with the app's own time-out as short, the check is green."""
    short = together(settings("^idle_ms = .*$", "idle_ms = 1000"), web_env(WS_IDLE_TIMEOUT_MS="1000"))
    with short(whole):
        found = run_checks(whole.root, "X12/a-silent-socket-is-closed")
    assert found.code == 0, found.said


def test_what_this_machine_has_sent_before_turns_no_check_red(whole: Site) -> None:
    """The edge refuses this address when the run begins, as after a run that has just ended."""
    with whole.stranger() as client:
        statuses = {client.get("/").status_code for _ in range(650)}
        assert 429 in statuses, statuses
    found = run_checks(whole.root, "X7/too-many-messages-are-refused")
    assert found.code == 0, found.said

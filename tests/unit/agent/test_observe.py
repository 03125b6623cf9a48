import pytest

from hosts.agent.errors import AgentError
from hosts.agent.json_object import JsonObject
from hosts.agent.observe import percentile, tally, waits, window
from tests.unit.agent.conftest import WEB, World


def test_each_slot_is_counted_by_its_own_answers():
    lines = [
        b"slipway slot_blue 200 5 9 - rid-1 GET /a\n",
        b"slipway slot_blue 503 7 7 probe - GET /a\n",
        b"slipway slot_green 200 1 1 - rid-3 GET /a\n",
    ]
    seen = tally(lines)
    blue = seen["blue"].to_json(3)
    assert blue == {
        **{"release": 3, "count": 2, "errors": 1, "probes": 1, "probe_errors": 1},
        **{"slow": 0, "waiting": 0, "p50_ms": 5, "p95_ms": 7},
    }
    assert seen["green"].count == 1


@pytest.mark.parametrize(
    ("line", "slow"),
    [
        (b"slipway slot_blue 200 5000 5001 - rid GET /slow", 1),
        (b"slipway slot_blue 200 4999 9000 - rid GET /slow-client", 0),
        (b"slipway slot_blue -1 -1 6000 - rid GET /gave-up-waiting", 1),
        (b"slipway slot_blue -1 -1 10 - rid GET /gave-up-at-once", 0),
        (b"slipway slot_blue 101 9 90000 - rid GET /ws", 0),
        (b"slipway slot_blue 504 -1 60000 - rid GET /counted-as-an-error", 0),
    ],
)
def test_requests_that_waited_for_too_long_are_counted_even_if_their_user_gave_up(line: bytes, slow: int):
    assert tally([line], 5)["blue"].slow == slow


SESSION_2_6 = (
    "0x1: proto=tcpv4 src=127.0.0.1:49428 fe=edge be={backend} srv=blue-1 ts=00 epoch=0 age=9m calls=3 "
    "rate=0 cpu=0 lat=0 rq[f=49c40000h,i=0,an=8000h,rx=,wx=,ax=] "
    "rp[f=80400000h,i=0,an={analysers}h,rx={left},wx=,ax=] "
    "scf=[8,80h,fd=12] scb=[8,11h,fd=17] exp=4m53s rc=0 c_exp="
)
SESSION_3_0 = (
    "0x1: proto=tcpv4 src=127.0.0.1:46096 fe=edge be={backend} srv=blue-1 ts=00 epoch=0 age=9m calls=3 "
    "rate=0 cpu=0 lat=0 rq[f=1840000h,i=0,an=8000h,ax=] rp[f=80000000h,i=0,an={analysers}h,ax=] "
    "scf=[8,482h,fd=20,rex=4m57s,wex=] scb=[8,1411h,fd=21,rex={left},wex=] exp=4m53s rc=0 c_exp="
)


@pytest.mark.parametrize("shown", [SESSION_2_6, SESSION_3_0], ids=["2.6", "3.0"])
@pytest.mark.parametrize(
    ("backend", "analysers", "left", "seconds"),
    [
        ("slot_blue", "1400000", "53s", [7]),
        ("last_blue", "1400000", "53s", [7]),
        ("slot_blue", "1400000", "4m50s", [10]),  # a stream of events, which may be silent for longer
        ("slot_blue", "4000000", "53s", []),  # its answer has begun
        ("slot_blue", "00", "6d23h", []),  # a WebSocket
        ("slot_blue", "1400000", "", []),  # its body is still being sent
        ("no_slot", "1400000", "53s", []),
    ],
)
def test_how_long_a_request_has_waited_is_read_from_haproxys_sessions(
    shown: str, backend: str, analysers: str, left: str, seconds: list[int]
):
    """As HAProxy 2.6.12 and 3.0.11 show them; the age is that of a kept connection."""
    line = shown.format(backend=backend, analysers=analysers, left=left)
    assert waits([line, "", "0x2: proto=unix_stream fe=GLOBAL be=<NONE>"], 60)["blue"] == seconds


def test_the_window_begins_at_the_hosts_own_switch(world: World):
    world.put("green", "warm", 1, web=WEB)
    world.put("blue", "live", 2, active=True, web=WEB)
    state = world.state
    switched = state.slots["blue"].since
    assert window(state, JsonObject({"since_switch": True}, "observe"), 0) == (switched, None)
    before = window(state, JsonObject({"before_switch": 60}, "observe"), 0)
    assert before == (switched - 60, switched)
    assert window(state, JsonObject({}, "observe"), 100) == (90, None)


def test_without_a_live_release_there_is_no_window(world: World):
    with pytest.raises(AgentError, match="nothing is live"):
        window(world.state, JsonObject({"since_switch": True}, "observe"), 0)


@pytest.mark.parametrize(
    ("line", "counted", "timed"),
    [
        (b"slipway slot_blue 101 9 90000 rid GET /ws", 1, 0),
        (b"slipway last_blue 200 9 9 - rid GET /", 1, 1),
        (b"slipway body_blue 200 9 9 - rid POST /", 1, 1),
        (b"slipway slot_blue -1 -1 5 rid GET /gave-up", 0, 0),
        (b"slipway slot_blue 502 -1 5 rid GET /died", 1, 0),
        (b"slipway no_slot 503 -1 0 - GET /", 0, 0),
        (b"slipway slot_red 200 1 1 - GET /", 0, 0),
        (b"Server slot_blue/blue-1 is UP, reason: Layer7 check passed", 0, 0),
        (b"slipway slot_blue", 0, 0),
        (b"", 0, 0),
        (b"slipway slot_\xff 200 1 1", 0, 0),
    ],
)
def test_what_is_no_answer_is_not_counted_and_what_has_no_time_is_not_timed(
    line: bytes, counted: int, timed: int
):
    blue = tally([line])["blue"]
    assert (blue.count, len(blue.times)) == (counted, timed)


@pytest.mark.parametrize(
    ("times", "share", "is_"), [([], 0.95, 0), ([4], 0.5, 4), (list(range(1, 101)), 0.95, 95)]
)
def test_percentiles_are_by_nearest_rank(times: list[int], share: float, is_: int):
    assert percentile(times, share) == is_

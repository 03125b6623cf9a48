import pytest

from hosts.agent.observe import percentile, tally


def test_each_slot_is_counted_by_its_own_answers():
    lines = [
        b"slipway slot_blue 200 5 9 rid-1 GET /a\n",
        b"slipway slot_blue 503 7 7 rid-2 GET /a\n",
        b"slipway slot_green 200 1 1 rid-3 GET /a\n",
    ]
    seen = tally(lines)
    assert seen["blue"].to_json(3) == {"release": 3, "count": 2, "errors": 1, "p50_ms": 5, "p95_ms": 7}
    assert seen["green"].count == 1


@pytest.mark.parametrize(
    ("line", "counted", "timed"),
    [
        (b"slipway slot_blue 101 9 90000 rid GET /ws", 1, 0),
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

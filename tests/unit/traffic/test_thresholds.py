"""What is promised by kind and name is judged by kind and name, and no data is never a pass."""

from __future__ import annotations

import pytest

from slipway.settings import Load, Threshold
from slipway.traffic.samples import Samples
from slipway.traffic.thresholds import Plan, ThresholdResult, certain_failure, judge
from tests.unit.traffic.a_run import START, asked, generator, seconds


def found(thresholds: list[ThresholdResult], measure: str, name: str = "GET /") -> ThresholdResult:
    return next(each for each in thresholds if (each.measure, each.name) == (measure, name))


def verdicts(thresholds: list[ThresholdResult]) -> set[str]:
    return {each.verdict for each in thresholds}


def test_the_defaults_are_p95_of_500_ms_and_one_percent_of_errors() -> None:
    results = judge(seconds(Samples(), 30, ms=499), Load(), asked())
    assert [(each.measure, each.verdict) for each in results] == [("errors", "pass"), ("p95", "pass")]
    assert found(judge(seconds(Samples(), 30, ms=510), Load(), asked()), "p95").verdict == "fail"


def test_one_error_in_a_hundred_passes_and_two_do_not() -> None:
    samples = seconds(Samples(), 30, each=10)
    seconds(samples, 3, each=1, error="503")
    assert found(judge(samples, Load(), asked()), "errors").verdict == "pass"
    seconds(samples, 3, each=1, error="503")
    assert found(judge(samples, Load(), asked()), "errors").verdict == "fail"


def test_a_slow_page_does_not_hide_under_instant_echoes() -> None:
    samples = seconds(Samples(), 30, each=2, ms=2000)
    seconds(samples, 30, kind="WS echo", name="echo", ms=1, each=200)
    results = judge(samples, Load(), asked())
    assert found(results, "p95").verdict == "fail"
    assert found(results, "p95", "echo").verdict == "pass"


def test_no_samples_at_all_are_no_pass() -> None:
    results = judge(Samples(), Load(), asked())
    assert verdicts(results) == {"no data"}


def test_a_kind_that_was_asked_for_and_never_came_is_no_data() -> None:
    results = judge(seconds(Samples(), 30), Load(), asked(kinds=frozenset({"HTTP", "WS echo"})))
    assert [(each.kind, each.verdict) for each in results if each.verdict != "pass"] == [
        ("WS echo", "no data")
    ]


def test_a_threshold_for_a_name_that_never_came_is_no_data() -> None:
    load = Load(thresholds=[Threshold(kind="HTTP", name="POST /pay", p95_ms=100)])
    results = judge(seconds(Samples(), 30), load, asked())
    assert found(results, "samples", "POST /pay").verdict == "no data"


def test_too_few_samples_of_what_a_threshold_names_are_no_data() -> None:
    load = Load(min_samples=20, thresholds=[Threshold(kind="HTTP", name="GET /", p99_ms=100)])
    results = judge(seconds(Samples(), 19, each=1), load, asked())
    assert [(each.measure, each.verdict) for each in results] == [("samples", "no data")]


def test_too_few_samples_of_anything_else_are_not_judged_but_errors_are_errors() -> None:
    samples = seconds(Samples(), 5, each=1)
    assert verdicts(judge(samples, Load(), asked())) == {"not judged"}
    seconds(samples, 1, each=1, error="503")
    assert verdicts(judge(samples, Load(), asked())) == {"not judged", "fail"}


def test_a_small_profile_may_say_that_few_samples_are_enough() -> None:
    assert verdicts(judge(seconds(Samples(), 3, each=1), Load(), asked(min_samples=1))) == {"pass"}


@pytest.mark.parametrize(
    ("thresholds", "verdict"),
    [
        ([], "pass"),
        ([Threshold(kind="HTTP", p95_ms=50)], "fail"),
        ([Threshold(kind="WS echo", p95_ms=50)], "pass"),
        ([Threshold(kind="HTTP", name="GET /", p95_ms=200), Threshold(kind="HTTP", p95_ms=50)], "pass"),
        ([Threshold(kind="HTTP", p95_ms=50), Threshold(kind="HTTP", name="GET /", p99_ms=300)], "fail"),
    ],
)
def test_the_bound_is_that_of_the_threshold_which_says_most_exactly_what_it_is_for(
    thresholds: list[Threshold], verdict: str
) -> None:
    results = judge(seconds(Samples(), 30, ms=100), Load(thresholds=thresholds), asked())
    assert found(results, "p95").verdict == verdict


@pytest.mark.parametrize(("percent", "verdict"), [("p50_ms", "pass"), ("p95_ms", "fail"), ("p99_ms", "fail")])
def test_each_percentile_has_its_own_bound(percent: str, verdict: str) -> None:
    samples = seconds(seconds(Samples(), 30, each=9, ms=10), 30, each=1, ms=100)
    load = Load(thresholds=[Threshold.model_validate({"kind": "HTTP", percent: 50})])
    assert found(judge(samples, load, asked()), percent.removesuffix("_ms")).verdict == verdict


def test_how_long_a_connection_lasted_is_no_latency() -> None:
    samples = seconds(Samples(), 30, kind="WS session", name="/ws", ms=60_000)
    assert [each.measure for each in judge(samples, Load(), asked())] == ["errors"]


def test_only_the_windows_count() -> None:
    samples = seconds(seconds(Samples(), 10, ms=5000), 20, since=10, ms=10)
    assert found(judge(samples, Load(), asked(begin=10)), "p95").verdict == "pass"
    assert found(judge(samples, Load(), asked(begin=5)), "p95").verdict == "fail"


def test_a_wide_slot_counts_only_if_all_of_it_is_in_a_window() -> None:
    samples = seconds(seconds(Samples(), 10, ms=5000), 20, since=10, ms=10)
    samples.widen(8)
    first = START // 8 * 8
    edge = 16 - (START - first)
    assert found(judge(samples, Load(), asked(begin=edge, end=40)), "p95").verdict == "pass"
    assert found(judge(samples, Load(), asked(begin=edge - 8, end=40)), "p95").verdict == "fail"


@pytest.mark.parametrize(("dropped", "verdict"), [(1, "pass"), (2, "fail")])
def test_dropped_arrivals_are_bounded(dropped: int, verdict: str) -> None:
    samples = seconds(Samples(), 30)
    for _ in range(100):
        samples.arrived(1, at=START + 5)
    for _ in range(dropped):
        samples.dropped(at=START + 5)
    assert found(judge(samples, Load(), asked()), "dropped arrivals", "").verdict == verdict


@pytest.mark.parametrize(("open_", "verdict"), [(95, "pass"), (94, "fail")])
def test_the_expected_sockets_must_have_been_open_at_the_same_time(open_: int, verdict: str) -> None:
    samples = generator(seconds(Samples(), 30), 5, source="a", sockets=open_ - 40)
    generator(samples, 5, source="b", sockets=40)
    peak = found(judge(samples, Load(), asked(sockets=100)), "open sockets at the peak", "")
    assert (peak.found, peak.verdict) == (str(open_), verdict)


def test_sockets_that_nobody_counted_are_no_data() -> None:
    results = judge(seconds(Samples(), 30), Load(), asked(sockets=100))
    assert found(results, "open sockets at the peak", "").verdict == "no data"


class TestHopeless:
    load = Load(abort_on_fail=True)

    def test_a_run_that_all_good_answers_could_still_save_goes_on(self) -> None:
        """After 10 of 30 s, 5 % of the samples of all 30 s are 15 % of those so far."""
        samples = seconds(seconds(Samples(), 10, each=88, ms=10), 10, each=12, ms=900)
        assert certain_failure(samples, self.load, asked(), START + 10) is None

    def test_a_run_that_nothing_can_save_ends_and_says_why(self) -> None:
        samples = seconds(seconds(Samples(), 10, each=60, ms=10), 10, each=40, ms=900)
        why = certain_failure(samples, self.load, asked(), START + 10)
        assert why == "HTTP GET /: 400 of 1000 took longer than 500 ms, the limit of p95"

    def test_errors_end_it_too(self) -> None:
        samples = seconds(seconds(Samples(), 10, each=9), 10, each=1, error="503")
        assert "10 of 100 are errors" in str(certain_failure(samples, self.load, asked(), START + 10))

    def test_nothing_is_foretold_from_the_first_seconds(self) -> None:
        assert certain_failure(seconds(Samples(), 4, error="503"), self.load, asked(), START + 4) is None

    def test_only_thresholds_that_say_so_end_a_run(self) -> None:
        samples = seconds(Samples(), 20, ms=900)
        assert certain_failure(samples, Load(), asked(), START + 20) is None
        single = Load(thresholds=[Threshold(kind="HTTP", p95_ms=500, abort_on_fail=True)])
        assert certain_failure(samples, single, asked(), START + 20) is not None

    def test_a_run_without_end_is_judged_by_what_came_so_far(self) -> None:
        samples = seconds(seconds(Samples(), 10, each=90), 10, each=10, ms=900)
        assert certain_failure(samples, self.load, Plan(START), START + 10) is not None


def test_what_comes_once_a_connection_counts_also_while_the_load_rises() -> None:
    samples = seconds(Samples(), 30)
    samples.record("WS connect", "/ws", 900, at=START + 1)
    late = asked(begin=10.0, kinds=frozenset({"HTTP", "WS connect"}), min_samples=1)
    assert found(judge(samples, Load(), late), "p95", "/ws").verdict == "fail"
    samples.record("HTTP", "GET /slow", 900, at=START + 1)
    assert "GET /slow" not in {each.name for each in judge(samples, Load(), late)}


def test_a_sign_in_at_the_start_is_judged_where_a_threshold_names_it() -> None:
    samples = seconds(Samples(), 30)
    samples.record("HTTP", "POST /sign-in", 900, at=START + 1)
    load = Load(thresholds=[Threshold(kind="HTTP", name="POST /sign-in", p95_ms=1000, min_samples=1)])
    late = asked(begin=10.0)
    assert found(judge(samples, load, late), "p95", "POST /sign-in").verdict == "pass"

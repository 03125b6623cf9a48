"""What every process recorded adds up to the same, in whichever order, and percentiles can be believed."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from slipway.traffic.histogram import Histogram
from slipway.traffic.samples import MOST_REASONS, OTHER, Key, Reading, Samples
from tests.unit.traffic.a_run import START, generator, seconds

times = st.floats(min_value=0.001, max_value=600_000, allow_nan=False)
events: st.SearchStrategy[tuple[Any, ...]] = st.one_of(
    st.tuples(
        st.just("record"),
        st.sampled_from(["HTTP", "WS echo"]),
        st.sampled_from(["a", "b"]),
        times,
        st.sampled_from([None, "reset", "503"]),
    ),
    st.tuples(st.just("arrived"), times),
    st.tuples(st.just("dropped")),
    st.tuples(
        st.just("read"), st.sampled_from(["p", "q"]), st.integers(0, 99), st.floats(0, 2), st.floats(0, 999)
    ),
    st.tuples(st.just("mark"), st.sampled_from(["switch", "promote"])),
)


@st.composite
def recorded(draw: st.DrawFn) -> Samples:
    """What some process saw in some of twenty seconds, perhaps in wider slots."""
    samples = Samples(draw(st.sampled_from([1, 1, 2, 4])))
    for second, event in draw(st.lists(st.tuples(st.integers(0, 20), events), max_size=25)):
        at = START + second
        match event:
            case ("record", kind, name, ms, error):
                samples.record(kind, name, ms, error, at=at)
            case ("arrived", ms):
                samples.arrived(ms, at=at)
            case ("dropped",):
                samples.dropped(at=at)
            case ("read", source, sockets, cpu, lag):
                samples.read(source, Reading(sockets, cpu, lag), at=at)
            case ("mark", text):
                samples.annotate(text, at=at)
            case _:
                raise AssertionError(event)
    return samples


@settings(max_examples=60)
@given(recorded(), recorded(), recorded())
def test_merging_is_associative_and_commutative(a: Samples, b: Samples, c: Samples) -> None:
    left = Samples.merged([Samples.merged([a, b]), c])
    right = Samples.merged([a, Samples.merged([b, c])])
    other = Samples.merged([c, a, b])
    assert left.to_json() == right.to_json() == other.to_json()


@settings(max_examples=60)
@given(recorded())
def test_json_loses_nothing(samples: Samples) -> None:
    again = Samples.from_json(json.loads(json.dumps(samples.to_json())))
    assert again.to_json() == samples.to_json()
    assert again.totals().keys() == samples.totals().keys()


@settings(max_examples=60)
@given(recorded())
def test_what_was_taken_and_merged_elsewhere_is_the_whole(samples: Samples) -> None:
    before = samples.to_json()
    taken = samples.take()
    assert samples.span is None
    assert taken.to_json() == before
    samples.merge(taken)
    assert samples.to_json() == before


@settings(max_examples=150)
@given(st.lists(times, min_size=1, max_size=400), st.sampled_from([50, 90, 95, 99, 99.9]))
def test_percentiles_are_within_one_percent_of_the_nearest_rank(values: list[float], percent: float) -> None:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    exact = sorted(values)[math.ceil(len(values) * percent / 100) - 1]
    found = histogram.percentile(percent)
    assert found is not None
    assert abs(found - exact) <= 0.01 * exact + 0.001  # a microsecond is the smallest that is counted


def test_without_data_there_is_no_percentile() -> None:
    assert Histogram().percentile(95) is None


def test_a_time_that_is_no_number_counts_as_no_time() -> None:
    histogram = Histogram()
    for value in (0.0, -5.0, math.nan):
        histogram.add(value)
    assert (histogram.count, histogram.percentile(99)) == (3, 0.0)


def test_the_longest_is_exact_and_no_percentile_exceeds_it() -> None:
    histogram = Histogram()
    for value in (12.345, 100.001):
        histogram.add(value)
    assert histogram.longest == pytest.approx(100.001)
    assert histogram.percentile(100) <= 100.001  # pyright: ignore[reportOptionalOperand]


def test_kinds_and_names_are_kept_apart() -> None:
    samples = seconds(Samples(), 3, kind="HTTP", ms=900)
    seconds(samples, 3, kind="WS echo", name="echo", ms=1, each=1000)
    totals = samples.totals()
    assert totals[Key("HTTP", "GET /")].good.percentile(50) == pytest.approx(900, rel=0.01)
    assert totals[Key("WS echo", "echo")].good.percentile(99) == pytest.approx(1, rel=0.01)


def test_a_quick_error_is_no_quick_answer() -> None:
    samples = seconds(seconds(Samples(), 1, ms=100), 1, ms=0.1, error="503", each=90)
    cell = samples.totals()[Key("HTTP", "GET /")]
    assert cell.good.percentile(50) == pytest.approx(100, rel=0.01)
    assert cell.error_ratio == 0.9


def test_reasons_that_never_end_are_counted_and_not_kept() -> None:
    samples = Samples()
    for number in range(500):
        samples.record("HTTP", "GET /", 1, f"port {number}", at=START)
    errors = samples.totals()[Key("HTTP", "GET /")].errors
    assert sum(errors.values()) == 500
    assert len(errors) == MOST_REASONS + 1
    assert errors[OTHER] == 500 - MOST_REASONS


def test_sockets_of_all_processes_are_added_and_a_lost_one_is_gone() -> None:
    samples = generator(Samples(), 10, source="a", sockets=50)
    generator(samples, 4, source="b", sockets=50)
    generator(samples, 2, since=6, source="c", sockets=7)
    open_ = list(samples.sockets().values())
    assert open_ == [100] * 4 + [50] * 2 + [57] * 2 + [50] * 2


def test_a_process_too_busy_to_count_had_as_many_sockets_as_before() -> None:
    samples = generator(Samples(), 10, source="a", sockets=10)
    generator(samples, 3, source="b", sockets=20)
    generator(samples, 3, since=7, source="b", sockets=20)
    assert set(samples.sockets().values()) == {30}


def test_a_run_of_days_stays_small_and_loses_no_sample() -> None:
    samples = Samples()
    for second in range(0, 400_000, 40):
        samples.record("HTTP", "GET /", 5, at=START + second)
        samples.compact(1000)
    assert len(samples.slots) <= 1000
    assert samples.width >= 400
    assert samples.totals()[Key("HTTP", "GET /")].count == 10_000

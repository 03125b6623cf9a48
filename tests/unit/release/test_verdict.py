import pytest
from hypothesis import given, strategies as st

from slipway.release.verdict import PROBES_AT_ONCE, Sample, detectable, hopeless, judge, longest, probes_due
from slipway.settings import Observe

LIMITS = Observe(error_ratio=0.01, p95_ms=500, p95_ratio=3, p95_floor_ms=100, min_samples=20)
GOOD = Sample(count=1000, errors=0, p95_ms=20)


def test_a_healthy_release_passes():
    assert judge(GOOD, GOOD, LIMITS).ok


def test_no_data_is_a_failure_not_a_pass():
    verdict = judge(Sample(), GOOD, LIMITS)
    assert not verdict.ok
    assert "only 0 answers" in verdict.reason


def test_too_many_5xx_fail_and_the_reason_counts_them():
    verdict = judge(Sample(count=100, errors=2, p95_ms=20), GOOD, LIMITS)
    assert not verdict.ok
    assert "2 of 100" in verdict.reason


def test_a_release_much_slower_than_the_old_one_fails_below_the_absolute_limit():
    assert not judge(Sample(count=100, p95_ms=300), Sample(count=100, p95_ms=50), LIMITS).ok


def test_slower_but_still_fast_passes():
    assert judge(Sample(count=100, p95_ms=90), Sample(count=100, p95_ms=5), LIMITS).ok


def test_without_an_old_release_only_the_absolute_limits_count():
    assert judge(Sample(count=100, p95_ms=300), Sample(), LIMITS).ok
    assert not judge(Sample(count=100, p95_ms=501), Sample(), LIMITS).ok


@given(
    count=st.integers(0, 10_000),
    errors=st.integers(0, 10_000),
    p95=st.floats(0, 10_000),
    hung=st.integers(0, 100),
    waiting=st.integers(0, 100),
)
def test_whatever_is_hopeless_also_fails_the_verdict(
    count: int, errors: int, p95: float, hung: int, waiting: int
):
    new = Sample(count=count, errors=min(errors, count), p95_ms=p95, hung=hung + waiting, waiting=waiting)
    if hopeless(new, GOOD, LIMITS):
        assert not judge(new, GOOD, LIMITS).ok


@given(
    lacking=st.integers(-50, 500),
    left=st.floats(0.1, 60),
    look=st.floats(0.1, 10),
    hosts=st.integers(1, 16),
)
def test_every_host_is_probed_at_each_look_and_none_is_flooded(
    lacking: int, left: float, look: float, hosts: int
):
    due = probes_due(lacking, left, look, hosts)
    assert 1 <= due <= PROBES_AT_ONCE
    if due < PROBES_AT_ONCE:
        assert due * hosts * max(1, int(left / look)) >= lacking


def test_a_window_grows_to_three_times_its_length_or_by_half_a_minute():
    assert (longest(3), longest(10), longest(60)) == (33, 40, 180)


def test_requests_that_never_get_an_answer_fail_a_release_whose_answers_are_all_good():
    verdict = judge(Sample(count=800, p95_ms=20, hung=42, waiting=42), GOOD, LIMITS)
    assert not verdict.ok
    assert "42 of 842 requests waited 5 s or longer for their answer, 42 still do (5.0%" in verdict.reason


def test_a_release_that_answers_nothing_at_all_is_judged_by_what_waits():
    assert "waited 5 s" in judge(Sample(count=15, hung=6, waiting=6), GOOD, LIMITS).reason


def test_long_waits_that_the_old_release_had_too_are_the_apps_own():
    """Long polls, for example."""
    polls = Sample(count=900, p95_ms=20, hung=100, waiting=100)
    assert judge(polls, polls, LIMITS).ok
    assert not judge(polls, GOOD, LIMITS).ok


def test_a_pass_says_how_many_answers_were_to_probes_and_what_it_would_have_noticed():
    """No user came: twenty good answers say little, and that is said."""
    reason = judge(Sample(count=20, probes=20, p95_ms=3), GOOD, LIMITS).reason
    assert "20 answers (20 to probes)" in reason
    assert "a share of 5xx of 13.9% or more would have been noticed (19 times in 20)" in reason


@pytest.mark.parametrize(
    ("count", "limit", "share"), [(20, 0.01, 0.1391), (300, 0.01, 0.0256), (0, 0.01, 1), (20, 1, 1)]
)
def test_what_a_number_of_answers_can_show(count: int, limit: float, share: float):
    """scipy: the upper bound of Clopper and Pearson, beta.ppf(0.95, allowed + 1, count - allowed)."""
    assert abs(detectable(count, limit) - share) < 0.0005

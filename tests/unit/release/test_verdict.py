from hypothesis import given
from hypothesis import strategies as st

from slipway.release.verdict import PROBES_AT_ONCE, Sample, hopeless, judge, longest, probes_due
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


@given(count=st.integers(0, 10_000), errors=st.integers(0, 10_000), p95=st.floats(0, 10_000))
def test_whatever_is_hopeless_also_fails_the_verdict(count: int, errors: int, p95: float):
    new = Sample(count=count, errors=min(errors, count), p95_ms=p95)
    if hopeless(new, LIMITS):
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

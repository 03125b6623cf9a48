"""Numbers of a generator that could not keep up tell of the generator."""

from __future__ import annotations

import pytest

from slipway.settings import Load
from slipway.traffic.results import MEANINGS, ExitCode, result_of
from slipway.traffic.samples import Samples
from slipway.traffic.saturation import saturation
from tests.unit.traffic.a_run import START, asked, generator, seconds


def signs(samples: Samples) -> dict[str, str]:
    return {each.measure: each.verdict for each in saturation(samples, asked())}


def test_a_generator_with_room_is_not_saturated() -> None:
    assert signs(generator(Samples(), 30)) == {"processor": "pass", "event loop lag": "pass"}


def test_a_busy_processor_is_saturation() -> None:
    samples = generator(Samples(), 30, cpu=0.3)
    generator(samples, 5, since=10, cpu=0.97)
    assert signs(samples)["processor"] == "fail"


def test_one_busy_second_is_not() -> None:
    samples = generator(Samples(), 8, cpu=0.3)
    generator(samples, 1, since=3, cpu=1.0, lag=900)
    assert set(signs(samples).values()) == {"pass"}


def test_the_busiest_process_counts_and_not_their_mean() -> None:
    samples = generator(Samples(), 30, source="a", cpu=0.1)
    for source in "bcd":
        generator(samples, 30, source=source, cpu=0.1)
    generator(samples, 30, source="e", cpu=0.95)
    assert signs(samples)["processor"] == "fail"


def test_lag_is_saturation_although_the_processor_is_free() -> None:
    assert signs(generator(Samples(), 30, cpu=0.2, lag=400))["event loop lag"] == "fail"


@pytest.mark.parametrize(("late", "verdict"), [(20, "pass"), (400, "fail")])
def test_visits_that_begin_late_are_saturation(late: float, verdict: str) -> None:
    samples = Samples()
    for second in range(30):
        for _ in range(10):
            samples.arrived(late, at=START + second)
    assert signs(samples) == {"p99 of late starts": verdict}


def test_what_is_not_judged_does_not_count_here_either() -> None:
    samples = generator(Samples(), 30, since=30, cpu=1.0)
    generator(samples, 30)
    assert set(signs(samples).values()) == {"pass"}


good = seconds(generator(Samples(), 30), 30)


@pytest.mark.parametrize(
    ("samples", "rest", "code"),
    [
        (good, {}, ExitCode.PASSED),
        (seconds(Samples(), 30, ms=900), {}, ExitCode.MISSED),
        (good, {"stopped": START + 12}, ExitCode.NO_DATA),
        (good, {"aborted": "HTTP GET /: all are errors"}, ExitCode.MISSED),
        (Samples(), {}, ExitCode.NO_DATA),
        (seconds(Samples(), 1, each=3), {}, ExitCode.NO_DATA),
        (generator(Samples(), 30), {}, ExitCode.NO_DATA),
        (seconds(generator(Samples(), 30, cpu=0.99), 30), {}, ExitCode.GENERATOR),
        (seconds(generator(Samples(), 30, cpu=0.99), 30, ms=900), {}, ExitCode.GENERATOR),
        (good, {"lost_workers": ["host_1"]}, ExitCode.GENERATOR),
        (seconds(Samples(), 30, error="ConnectionRefusedError"), {}, ExitCode.REFUSED),
        (seconds(generator(Samples(), 30, cpu=0.99), 30, error="429"), {}, ExitCode.REFUSED),
    ],
)  # fmt: skip
def test_the_exit_code_tells_what_the_run_is_worth(
    samples: Samples, rest: dict[str, object], code: ExitCode
) -> None:
    made: dict[str, object] = {"stack": "preview", "profile": "expected", "stopped": START + 30} | rest
    done = result_of(samples, Load(), asked(), **made)  # pyright: ignore[reportArgumentType]
    assert done.exit_code == code
    assert done.passed is (code == ExitCode.PASSED)


def test_every_exit_code_is_explained_and_none_means_something_else_for_other_commands() -> None:
    assert MEANINGS.keys() == set(ExitCode)
    assert {int(code) for code in ExitCode} & {3, 4} == set()


def test_secrets_do_not_get_into_what_is_reported() -> None:
    samples = seconds(Samples(), 30, name="GET /?key=s3cret", error="refused s3cret")
    samples.annotate("release of s3cret", at=START + 3)
    done = result_of(
        samples,
        Load(),
        asked(),
        stack="preview",
        profile="expected",
        stopped=START + 30,
        redact=lambda text: text.replace("s3cret", "***"),
        aborted="s3cret",
    )
    assert "s3cret" not in done.model_dump_json()
    assert "***" in done.model_dump_json()

"""The observation window over a clock that a test moves: how it probes, how long it takes, what it says."""

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from slipway.fleet.replies import Observed, Probed, Switched, Traffic
from slipway.progress import Silent
from slipway.release import observe
from slipway.release.observe import Observation, Observe, is_trouble
from slipway.release.rollout import Shipment
from slipway.release.switch import Cutover
from slipway.settings import App, ReleaseFailed
from tests.unit.release.conftest import release


class Said(Silent):
    """Keeps the lines that a person would see."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)


class Fleet:
    """Two web hosts; every look takes `look_seconds`; of the answers to probes `heard` (a share) are seen."""

    def __init__(self, patch: pytest.MonkeyPatch, *, look_seconds: float = 0.1, heard: float = 1.0) -> None:
        self.now, self.look_seconds, self.heard = 1000.0, look_seconds, heard
        self.answers = {"web1": 0.0, "web2": 0.0}
        self.probed: list[int] = []
        self.asked: list[dict[str, object]] = []
        self.said = Said()
        clock = SimpleNamespace(monotonic=lambda: self.now, sleep=self._pass, time=lambda: self.now)
        patch.setattr(observe, "time", clock)

    def _pass(self, seconds: float) -> None:
        self.now += seconds

    def ask(self, hosts: list[Any], question: Callable[[Any], Any]) -> Mapping[str, Any]:
        self.now += self.look_seconds / 2
        return {host.name: question(host) for host in hosts}

    def watch(self, seconds: float, **limits: object) -> Observation | None:
        app = App.model_validate(
            {
                "name": "a",
                "runtime": {"name": "none"},
                "processes": {"web": {"command": "x"}},
                "observe": limits,
            }
        )
        web = [SimpleNamespace(name=name, agent=self._agent(name)) for name in self.answers]
        rollout: Any = SimpleNamespace(
            app=app,
            options=SimpleNamespace(observe_seconds=seconds),
            hosts=SimpleNamespace(web=web, ask=self.ask),
            progress=self.said,
            redact=str,
        )
        manifest: Any = SimpleNamespace(as_declared=lambda today: today)  # pyright: ignore[reportUnknownLambdaType]
        shipment = Shipment(release(5), lambda: manifest)
        switched = {host.name: Switched(slot="green", to=5) for host in web}
        return Observe(shipment, Cutover(switched)).run(rollout)

    def _agent(self, name: str) -> Any:
        def probe(*, path: str, count: int) -> Probed:
            self.probed.append(count)
            self.answers[name] += count * self.heard
            return Probed()

        def look(**request: object) -> Observed:
            self.asked.append(request)
            return Observed(slots={"green": Traffic(count=int(self.answers[name]))}, active="green")

        return SimpleNamespace(probe=probe, observe=look, logs=lambda lines: [])  # pyright: ignore[reportUnknownLambdaType]


def test_probes_make_up_the_number_within_the_window(monkeypatch: pytest.MonkeyPatch):
    fleet = Fleet(monkeypatch)
    seen = fleet.watch(10, min_samples=20)
    assert seen is not None
    assert 20 <= seen.sample.count <= 40
    assert fleet.now < 1012
    assert max(fleet.probed) <= 2, "spread over the window, not sent at once"


def test_on_a_busy_machine_where_looks_are_few_each_probes_more(monkeypatch: pytest.MonkeyPatch):
    fleet = Fleet(monkeypatch, look_seconds=4)
    seen = fleet.watch(10, min_samples=20)
    assert seen is not None
    assert seen.sample.count >= 20
    assert fleet.now < 1020


def test_a_window_with_too_few_answers_grows_and_says_so(monkeypatch: pytest.MonkeyPatch):
    fleet = Fleet(monkeypatch, heard=0.15)
    seen = fleet.watch(3, min_samples=20)
    assert seen is not None
    assert seen.sample.count >= 20
    assert any("the window grows from 3 s to 6 s, at most 33 s" in line for line in fleet.said.lines)


def test_its_growth_is_bounded_and_no_data_is_a_failure(monkeypatch: pytest.MonkeyPatch):
    fleet = Fleet(monkeypatch, heard=0)
    with pytest.raises(ReleaseFailed, match="only 0 answers"):
        fleet.watch(10, min_samples=20)
    assert 1040 <= fleet.now < 1043


def test_no_time_of_this_machine_is_part_of_a_question(monkeypatch: pytest.MonkeyPatch):
    """Hosts count from their own switch by their own clocks: a wrong clock here changes nothing."""
    fleet = Fleet(monkeypatch)
    fleet.watch(10, min_samples=20)
    limits = {"hung_seconds": 5, "response_seconds": 60}
    old, new = {"before_switch": 60, **limits}, {"before_switch": None, **limits}
    assert fleet.asked[:2] == [old, old]
    assert all(asked == new for asked in fleet.asked[2:])


@pytest.mark.parametrize(
    ("line", "speaks"),
    [
        ('2026-11-26 web[9]: {"level":"info","msg":"request","status":200,"ms":0.6}', False),
        ('2026-11-26 web[9]: {"level":"info","msg":"request","status":503,"ms":0.6}', True),
        ('2026-11-26 web[9]: {"level":"error","msg":"the summary is broken"}', True),
        ('2026-11-26 web[9]: {"level":50,"msg":"of pino"}', True),
        ("2026-11-26 web[9]: TypeError: x is not a function", True),
        ("2026-11-26 web[9]: GET / 200", False),
        ("2026-11-26 web[9]: {not json", False),
    ],
)
def test_only_lines_that_speak_of_trouble_stand_beside_the_reason(line: str, speaks: bool):
    assert is_trouble(line) is speaks

"""Profiles as data: how a load rises, stays and falls. How large they are for an app is in slipway.toml."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from slipway.settings import App, BadInput, LoadSize, ProfileName
from slipway.traffic.schedule import Leg, Schedule

__all__ = ["SHAPES", "Profile", "Shape", "Stage", "profile_of", "steady"]


@dataclass(frozen=True)
class Stage:
    """A stretch of a profile; load and sockets go in a straight line from where the last stage ended."""

    seconds: float
    """Length in the unstretched profile; 0: a step."""
    load: float
    """Arrivals at its end, as a multiple of the profile's size."""
    sockets: float
    """Open sockets at its end, likewise."""
    judged: bool = False
    """Do thresholds count what comes in it?"""
    storm: bool = False
    """Every socket is cut as it begins, and all come back at once, as after a release."""


@dataclass(frozen=True)
class Shape:
    """What a profile is for, and its stages in order."""

    purpose: str
    stages: tuple[Stage, ...]
    most_arrivals: float = float("inf")
    """Beyond this the shape is not made larger by `[load]`."""
    most_sockets: int = 1_000_000
    enough: int | None = None
    """So many samples are enough in this profile, although `load.min_samples` asks for more."""


SHAPES: Mapping[ProfileName, Shape] = {
    "smoke": Shape(
        "a few users for a few seconds: does every scenario work at all?",
        (Stage(0, 1, 1), Stage(15, 1, 1, judged=True)),
        most_arrivals=3,
        most_sockets=5,
        enough=1,
    ),
    "expected": Shape(
        "what the app must carry on a busy day",
        (Stage(15, 1, 1), Stage(60, 1, 1, judged=True)),
    ),
    "stress": Shape(
        "more and more, to four times of what is expected: where does it bend?",
        tuple(
            stage
            for times in (1, 2, 3, 4)
            for stage in (Stage(10, times, times), Stage(20, times, times, judged=True))
        ),
    ),
    "soak": Shape(
        "what is expected, for an hour: what leaks, fills up or runs out?",
        (Stage(60, 1, 1), Stage(3600, 1, 1, judged=True)),
    ),
    "spike": Shape(
        "half, then three times as much within two seconds, and back: does it recover?",
        (
            Stage(10, 0.5, 0.5),
            Stage(20, 0.5, 0.5, judged=True),
            Stage(2, 3, 3),
            Stage(20, 3, 3, judged=True),
            Stage(2, 0.5, 0.5),
            Stage(20, 0.5, 0.5, judged=True),
        ),
    ),
    "storm": Shape(
        "every socket is lost at once and comes back, as after a release",
        (
            Stage(15, 1, 1),
            Stage(15, 1, 1, judged=True),
            Stage(30, 1, 1, judged=True, storm=True),
        ),
    ),
}


@dataclass(frozen=True)
class Profile:
    """A profile in this app's size."""

    name: str
    schedule: Schedule
    """Arrivals a second and open sockets by seconds since the start of the run."""
    windows: tuple[tuple[float, float], ...]
    """From and to, in seconds since the start: what comes in between is judged."""
    min_samples: int
    """Samples without which there is no verdict on a kind and name that has no threshold of its own."""

    @property
    def seconds(self) -> float:
        """How long arrivals come and sockets stay open."""
        return self.schedule.seconds

    def judges(self, at: float) -> bool:
        """Does what comes `at` seconds after the start count?"""
        return any(begin <= at < end for begin, end in self.windows)


def profile_of(name: str, app: App) -> Profile:
    """The profile called `name`, as large as `[load]` says. BadInput if there is none."""
    if name not in SHAPES:
        raise BadInput(f"there is no load profile {name!r}", remedy=f"choose one of {', '.join(SHAPES)}")
    known = cast("ProfileName", name)
    load, shape = app.load, SHAPES[known]
    size = load.profiles.get(known, LoadSize())
    arrivals = _size(size.arrivals, load.arrivals, shape.most_arrivals)
    sockets = _size(size.sockets, load.sockets, shape.most_sockets) if app.websocket else 0
    if arrivals == 0 and sockets == 0:
        raise BadInput(
            f"load profile {name}: the profile defines no load",
            remedy="set load.arrivals or load.sockets in slipway.toml",
        )
    stretch = size.seconds / sum(stage.seconds for stage in shape.stages) if size.seconds else 1.0
    schedule = Schedule(_legs(shape.stages, arrivals, int(sockets), stretch))
    enough = load.min_samples if shape.enough is None else min(shape.enough, load.min_samples)
    return Profile(name, schedule, _windows(schedule.legs, load.settle_seconds), enough)


def steady(arrivals: float, sockets: int, seconds: float) -> Profile:
    """A profile without a ramp: the meter's."""
    leg = Leg(0.0, seconds, arrivals, arrivals, sockets, sockets, judged=True)
    return Profile("steady", Schedule((leg,)), ((0.0, seconds),), min_samples=1)


def _size(own: float | None, general: float, most: float) -> float:
    return own if own is not None else min(general, most)


def _legs(stages: tuple[Stage, ...], arrivals: float, sockets: int, stretch: float) -> tuple[Leg, ...]:
    legs: list[Leg] = []
    at, load, open_ = 0.0, 0.0, 0.0
    for stage in stages:
        end = at + stage.seconds * stretch
        to_load, to_open = stage.load * arrivals, stage.sockets * sockets
        legs.append(Leg(at, end, load, to_load, open_, to_open, judged=stage.judged, storm=stage.storm))
        at, load, open_ = end, to_load, to_open
    return tuple(legs)


def _windows(legs: tuple[Leg, ...], settle: float) -> tuple[tuple[float, float], ...]:
    """Neighbouring judged legs as one, without the first `settle` seconds (at most half of them)."""
    windows: list[tuple[float, float]] = []
    for leg in legs:
        if not leg.judged:
            continue
        if windows and windows[-1][1] == leg.begins:
            windows[-1] = (windows[-1][0], leg.ends)
        else:
            windows.append((leg.begins, leg.ends))
    return tuple((begin + min(settle, (end - begin) / 2), end) for begin, end in windows)

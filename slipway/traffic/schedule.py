"""When users arrive and how many sockets are open, worked out beforehand: nothing in here waits or sends."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

__all__ = ["WHOLE", "Leg", "Part", "Schedule"]

_NEAR = 1e-9


@dataclass(frozen=True)
class Leg:
    """A stretch of time in which arrivals a second and open sockets change in a straight line."""

    begins: float
    ends: float
    rate_from: float
    rate_to: float
    sockets_from: float
    sockets_to: float
    judged: bool = False
    storm: bool = False

    @property
    def seconds(self) -> float:
        """Its length; 0 is a step."""
        return self.ends - self.begins

    @property
    def arrivals(self) -> float:
        """How many come in it."""
        return (self.rate_from + self.rate_to) / 2 * self.seconds


@dataclass(frozen=True)
class Part:
    """One process' part of a load that several send: every `of`-th arrival and socket, from `index` on."""

    index: int = 0
    of: int = 1


WHOLE = Part()


@dataclass(frozen=True)
class Schedule:
    """Legs that follow each other without a gap, from second 0 on."""

    legs: tuple[Leg, ...]

    @property
    def seconds(self) -> float:
        """When the last leg ends."""
        return self.legs[-1].ends if self.legs else 0.0

    @property
    def peak_rate(self) -> float:
        """Most arrivals a second."""
        return max((max(leg.rate_from, leg.rate_to) for leg in self.legs if leg.seconds), default=0.0)

    @property
    def peak_sockets(self) -> int:
        """Most sockets open at the same time."""
        return round(
            max((max(leg.sockets_from, leg.sockets_to) for leg in self.legs if leg.seconds), default=0)
        )

    @property
    def storms(self) -> tuple[float, ...]:
        """When every socket is cut."""
        return tuple(leg.begins for leg in self.legs if leg.storm)

    def arrivals(self, scale: float = 1.0, part: Part = WHOLE) -> Iterator[float]:
        """Seconds at which visits are to begin, in order: evenly spaced where the rate is constant.

        `scale` is the share of all arrivals that is wanted. The parts of a load together send exactly what
        one process alone would.
        """
        came = 0.0
        numbers = count(part.index, part.of)
        number = next(numbers)
        for leg in self.legs:
            while (into := number - came) < leg.arrivals * scale - _NEAR:
                yield leg.begins + _time_of(into, leg.rate_from * scale, leg.rate_to * scale, leg.seconds)
                number = next(numbers)
            came += leg.arrivals * scale

    def constant(self, rate: float, part: Part = WHOLE) -> Iterator[float]:
        """Seconds of `rate` arrivals a second for as long as the schedule lasts, whatever its own rate is."""
        return Schedule((Leg(0.0, self.seconds, rate, rate, 0, 0),)).arrivals(part=part)

    def rate_at(self, at: float) -> float:
        """Arrivals a second, `at` seconds after the start."""
        leg = self._leg(at)
        return _between(leg.rate_from, leg.rate_to, leg, at) if leg else 0.0

    def sockets_at(self, at: float) -> float:
        """Sockets that should be open then."""
        leg = self._leg(at)
        return _between(leg.sockets_from, leg.sockets_to, leg, at) if leg else 0.0

    def socket_opens(self, rank: float, after: float = 0.0) -> float | None:
        """First second from `after` on at which more than `rank` sockets are to be open; None: never."""
        for leg in self.legs:
            begin = max(leg.begins, after)
            if begin >= leg.ends:
                continue
            low, high = _between(leg.sockets_from, leg.sockets_to, leg, begin), leg.sockets_to
            if low > rank + _NEAR:
                return begin
            if high > rank + _NEAR:
                return begin + (leg.ends - begin) * max(rank - low, 0) / (high - low)
        return None

    def socket_closes(self, rank: float, after: float = 0.0) -> float:
        """First second from `after` on at which no more than `rank` sockets are open: the end at last."""
        for leg in self.legs:
            begin = max(leg.begins, after)
            if begin >= leg.ends:
                continue
            high, low = _between(leg.sockets_from, leg.sockets_to, leg, begin), leg.sockets_to
            if high <= rank + _NEAR:
                if abs(high - rank) <= _NEAR and low > rank + _NEAR:
                    continue  # just opening
                return begin
            if low <= rank + _NEAR:
                return begin + (leg.ends - begin) * (high - rank) / (high - low)
        return max(self.seconds, after)

    def next_storm(self, after: float) -> float:
        """When every socket is cut next; infinite if never again."""
        return min((at for at in self.storms if at > after), default=math.inf)

    def _leg(self, at: float) -> Leg | None:
        return next((leg for leg in self.legs if leg.seconds and leg.begins <= at < leg.ends), None)


def _between(start: float, end: float, leg: Leg, at: float) -> float:
    return start + (end - start) * (at - leg.begins) / leg.seconds if leg.seconds else end


def _time_of(arrivals: float, rate_from: float, rate_to: float, seconds: float) -> float:
    """Seconds into a leg at which so many have come: the root of `from t + (to - from) t^2 / 2 seconds`."""
    if rate_from == rate_to:
        return arrivals / rate_from
    slope = (rate_to - rate_from) / seconds
    root = math.sqrt(max(rate_from * rate_from + 2 * slope * arrivals, 0.0))
    # This form of the root has no difference of two near numbers, also where the rate hardly changes.
    return 0.0 if arrivals <= 0 else min(2 * arrivals / (rate_from + root), seconds)

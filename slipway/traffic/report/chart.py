"""The upright axis of a chart: from where to where it goes, and which values it names. Pure."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

FINEST = 0.001
"""What is smaller everywhere is drawn as nothing."""


@dataclass(frozen=True)
class Scale:
    """From `low` to `high`, with a line at each of `ticks`."""

    low: float
    high: float
    ticks: tuple[float, ...]
    log: bool = False

    def share(self, value: float) -> float:
        """How far up `value` is, from 0 to 1."""
        if self.log:
            return math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


def linear_scale(values: Sequence[float], limits: Sequence[float]) -> Scale:
    """From 0 to a round number that all values and limits are below, in at most five steps."""
    highest = max([*values, *limits], default=0.0)
    if highest < FINEST:
        highest = 1.0
    step = 10 ** math.floor(math.log10(highest / 4))
    step = next(step * times for times in (1, 2, 2.5, 5, 10) if step * times * 4.5 >= highest)
    count = math.ceil(highest / step)
    return Scale(0.0, count * step, tuple(round(step * number, 6) for number in range(count + 1)))


def log_scale(values: Sequence[float], limits: Sequence[float]) -> Scale:
    """Whole decades around all values, and up to the limits."""
    low = 10 ** math.floor(math.log10(max(min((each for each in values if each), default=1.0), 0.01)))
    high = 10 ** math.ceil(math.log10(max([*values, *limits, low * 10]) * 1.0001))
    decades = round(math.log10(high / low))
    times = (1, 2, 5) if decades <= 2 else (1,)
    ticks = [low * 10**decade * each for decade in range(decades) for each in times]
    return Scale(low, high, (*(round(tick, 6) for tick in ticks), high), log=True)


WIDTH, HEIGHT = 1060, 220
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 16, 26
EDGES = {"left": LEFT, "right": RIGHT, "top": TOP, "bottom": BOTTOM, "width": WIDTH, "height": HEIGHT}
"""For the script on the page."""
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 86_400)
"""Between labels of the time axis, in seconds."""


@dataclass(frozen=True)
class Line:
    """One value over time; None where there was none: the line has a gap."""

    label: str
    style: str
    """Class of the style sheet: `c0` … `c5`, `fail`, with `thin` or `faint`."""
    values: Sequence[float | None]


@dataclass(frozen=True)
class Limit:
    """A horizontal line."""

    label: str
    value: float


@dataclass(frozen=True)
class Time:
    """What all charts of a run share."""

    at: Sequence[float]
    """Where values are, in seconds since the start."""
    seconds: float
    """Length of the axis."""
    annotations: Sequence[float] = ()
    """What happened when; they are numbered from 1."""
    judged: Sequence[tuple[float, float]] = ()


@dataclass(frozen=True)
class Chart:
    """A title, what the values are in, and the lines."""

    title: str
    unit: str
    lines: Sequence[Line]
    limits: Sequence[Limit] = ()
    log: bool = False
    """For times: 3 ms and 3 s on one chart, and the limit beside them."""

    def svg(self, time: Time) -> Markup:
        """The chart; the same numbers are in `data-values` for whoever points at it."""
        scale = self._scale()
        parts = [
            *_judged(time),
            *(_row(scale, value, self.unit) for value in scale.ticks),
            *_columns(time),
            *(_path(line, time, scale) for line in self.lines),
            *(_limit(limit, scale) for limit in self.limits if scale.low <= limit.value <= scale.high),
            *_annotations(time),
        ]
        names = ", ".join(line.label for line in self.lines)
        values = {
            "at": list(time.at),
            "seconds": time.seconds,
            "unit": self.unit,
            "lines": [
                {"label": line.label, "style": line.style, "values": list(line.values)} for line in self.lines
            ],
        }
        return Markup(
            '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}" data-values="{}">{}</svg>'
        ).format(
            WIDTH,
            HEIGHT,
            f"{self.title}: {names}",
            json.dumps(values, separators=(",", ":")),
            Markup("").join(parts),
        )

    def _scale(self) -> Scale:
        values = [value for line in self.lines for value in line.values if value is not None]
        limits = [limit.value for limit in self.limits]
        return (log_scale if self.log else linear_scale)(values, limits)


def _y(scale: Scale, value: float) -> float:
    return round(HEIGHT - BOTTOM - scale.share(value) * (HEIGHT - BOTTOM - TOP), 1)


def _x(at: float, time: Time) -> float:
    return round(LEFT + min(max(at / time.seconds, 0), 1) * (WIDTH - LEFT - RIGHT), 1)


def _judged(time: Time) -> list[Markup]:
    """Grey where nothing is judged."""
    edges = [0.0, *(edge for window in time.judged for edge in window), time.seconds]
    return [
        Markup('<rect class="unjudged" x="{}" y="{}" width="{}" height="{}"/>').format(
            _x(begin, time), TOP, round(_x(end, time) - _x(begin, time), 1), HEIGHT - BOTTOM - TOP
        )
        for begin, end in zip(edges[::2], edges[1::2], strict=True)
        if end > begin and time.judged
    ]


def _row(scale: Scale, value: float, unit: str) -> Markup:
    label = f"{value / 1000:g} s" if unit == "ms" and value >= 1000 else f"{value:,g} {unit}".strip()
    return Markup(
        '<line class="grid" x1="{}" x2="{}" y1="{y}" y2="{y}"/><text x="{}" y="{}" class="y">{}</text>'
    ).format(LEFT, WIDTH - RIGHT, LEFT - 6, _y(scale, value) + 4, label, y=_y(scale, value))


def _columns(time: Time) -> list[Markup]:
    step = next((each for each in _STEPS if time.seconds / each <= 12), _STEPS[-1])
    return [
        Markup('<text x="{}" y="{}" class="x">{}</text>').format(_x(at, time), HEIGHT - 8, _clock(at))
        for at in range(0, int(time.seconds) + 1, step)
    ]


def _clock(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def _path(line: Line, time: Time, scale: Scale) -> Markup:
    """Points that have neighbours are a line, others dots."""
    steps: list[str] = []
    dots = Markup("")
    before = False
    values = list(line.values)
    for number, (at, value) in enumerate(zip(time.at, values, strict=True)):
        if value is None:
            before = False
            continue
        x, y = _x(at, time), _y(scale, value)
        follows = number + 1 < len(values) and values[number + 1] is not None
        if before or follows:
            steps.append(f"{'L' if before else 'M'}{x} {y}")
        else:
            dots += Markup('<circle class="{}" cx="{}" cy="{}" r="2"/>').format(line.style, x, y)
        before = True
    path = Markup('<path class="{}" d="{}"/>').format(line.style, "".join(steps)) if steps else Markup("")
    return path + dots


def _limit(limit: Limit, scale: Scale) -> Markup:
    y = _y(scale, limit.value)
    return Markup(
        '<line class="limit" x1="{}" x2="{}" y1="{y}" y2="{y}"/><text x="{}" y="{}" class="limit">{}</text>'
    ).format(LEFT, WIDTH - RIGHT, WIDTH - RIGHT - 4, y - 4 if y > TOP + 12 else y + 13, limit.label, y=y)


def _annotations(time: Time) -> list[Markup]:
    """A line each, and the number above it; numbers that would lie on each other stand side by side."""
    labels: dict[float, list[str]] = {}
    for number, at in enumerate(time.annotations, 1):
        x = next((each for each in labels if abs(each - _x(at, time)) < 14), _x(at, time))
        labels.setdefault(x, []).append(str(number))
    lines = [
        Markup('<line class="mark" x1="{x}" x2="{x}" y1="{}" y2="{}"/>').format(
            TOP, HEIGHT - BOTTOM, x=_x(at, time)
        )
        for at in time.annotations
    ]
    texts = [
        Markup('<text class="mark" x="{}" y="{}">{}</text>').format(x, TOP - 4, ", ".join(numbers))
        for x, numbers in labels.items()
    ]
    return lines + texts

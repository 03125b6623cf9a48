"""Draws a picture as SVG, for light and dark backgrounds, without external resources."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from infra.picture.model import COLUMNS, STATEFUL_WORDS, Card, Line, Picture

STYLE = """
text{font-family:ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
.bg{fill:#f6f7f9}.title{fill:#111827;font-size:22px;font-weight:650}.sub{fill:#6b7280;font-size:13px}
.column{fill:#6b7280;font-size:11px;font-weight:600;letter-spacing:.09em}
.card{fill:#fff;stroke:#d9dde3}.name{fill:#111827;font-size:14px;font-weight:600}
.about{fill:#6b7280;font-size:11px}.kind{fill:#374151;font-size:12px}.count{fill:#9099a6;font-size:12px}
.data{fill:#0f766e;font-weight:600}.line{fill:none;stroke-linecap:round;opacity:.5}
.tip{opacity:.75}.far{opacity:.26}
.rule{stroke:#eceef1}
.c0 .bar,.c0.tip{fill:#f08c2e}.c1 .bar,.c1.tip{fill:#4c6ef5}.c2 .bar,.c2.tip{fill:#7c4dde}
.c3 .bar,.c3.tip{fill:#0f9f8f}.c4 .bar,.c4.tip{fill:#64748b}.c5 .bar,.c5.tip{fill:#d6487e}
.c0.line{stroke:#f08c2e}.c1.line{stroke:#4c6ef5}.c2.line{stroke:#7c4dde}
.c3.line{stroke:#0f9f8f}.c4.line{stroke:#64748b}.c5.line{stroke:#d6487e}
@media (prefers-color-scheme:dark){
.bg{fill:#0f1318}.title,.name{fill:#f3f5f8}.card{fill:#181e26;stroke:#2c3540}.rule{stroke:#252d37}
.kind{fill:#c7ced8}.about,.sub,.column{fill:#8b96a5}.count{fill:#75808f}.data{fill:#3fd0bd}
.line{opacity:.6}.far{opacity:.34}}
""".replace("\n", "")


def svg(picture: Picture) -> str:
    places = layout(picture)
    boxes = {box.card.urn: box for box in places.boxes}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{places.width:g}" height="{places.height:g}" '
        f'viewBox="0 0 {places.width:g} {places.height:g}" role="img" aria-labelledby="title">',
        f'<title id="title">{escape(picture.project)}, stack {escape(picture.stack)}</title>',
        f"<style>{STYLE}</style>",
        f'<rect class="bg" width="{places.width:g}" height="{places.height:g}"/>',
        *_heading(picture, places),
        *(_line(line, boxes, picture.lines) for line in sorted(picture.lines, key=lambda each: each.weight)),
        *(_card(box) for box in places.boxes),
        _legend(places),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _heading(picture: Picture, places: Layout) -> list[str]:
    left = places.columns[0][1] if places.columns else 0
    counts = f"{picture.resources} resources in {len(picture.cards)} concerns"
    return [
        f'<text class="title" x="{left:g}" y="50">{escape(picture.project)} · {escape(picture.stack)}</text>',
        f'<text class="sub" x="{left:g}" y="72">{counts}</text>',
        *(
            f'<text class="column" x="{x:g}" y="112">{escape(name.upper())}</text>'
            for name, x in places.columns
        ),
    ]


def _card(box: Box) -> str:
    card, x, y = box.card, box.x, box.y
    parts = [
        f'<g class="c{card.column}"><rect class="card" x="{x:g}" y="{y:g}" width="{WIDTH}" '
        f'height="{box.height:g}" rx="9"/>',
        f'<rect class="bar" x="{x + 12:g}" y="{y + 14:g}" width="4" height="28" rx="2"/>',
        f'<text class="name" x="{x + 26:g}" y="{y + 26:g}">{escape(card.title)}</text>',
        f'<text class="about" x="{x + 26:g}" y="{y + 41:g}">{escape(card.about)}</text>',
        f'<line class="rule" x1="{x + 12:g}" x2="{box.right - 12:g}" y1="{y + HEAD:g}" y2="{y + HEAD:g}"/>',
    ]
    for index, (kind, count) in enumerate(rows(card)):
        baseline = y + HEAD + ROW * (index + 1)
        mark = " data" if kind in STATEFUL_WORDS else ""
        parts.append(
            f'<text class="kind{mark}" x="{x + 14:g}" y="{baseline:g}">{escape(_short(kind))}</text>'
        )
        parts.append(
            f'<text class="count" x="{box.right - 14:g}" y="{baseline:g}" text-anchor="end">{count}</text>'
        )
    return "".join(parts) + "</g>"


def _line(line: Line, boxes: dict[str, Box], lines: tuple[Line, ...]) -> str:
    """From the dependent card to its dependency; the ends on one side of a card are spread over it."""
    one, other = boxes[line.source], boxes[line.target]
    out = [each for each in lines if each.source == line.source]
    into = [each for each in lines if each.target == line.target]
    out.sort(key=lambda each: boxes[each.target].y)
    into.sort(key=lambda each: boxes[each.source].y)
    y1 = _spread(one, out.index(line), len(out), 0.25, 0.6)
    y2 = _spread(other, into.index(line), len(into), 0.4, 0.9)
    width = min(1.1 + line.weight * 0.12, 2.6)
    if one.card.column == other.card.column:
        x1, x2, bend = one.right, other.right + 5, 26 + 3 * out.index(line)
        path = f"M{x1:g} {y1:g}C{x1 + bend:g} {y1:g} {x2 + bend:g} {y2:g} {x2:g} {y2:g}"
        tip = f"M{x2 - 5:g} {y2:g}l7 -3.6v7.2z"
    elif one.x < other.x:
        x1, x2 = one.right, other.x - 5
        bend = max(30.0, (x2 - x1) / 2.2)
        path = f"M{x1:g} {y1:g}C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}"
        tip = f"M{x2 + 5:g} {y2:g}l-7 -3.6v7.2z"
    else:
        x1, x2 = one.x, other.right + 5
        bend = max(30.0, (x1 - x2) / 2.2)
        path = f"M{x1:g} {y1:g}C{x1 - bend:g} {y1:g} {x2 + bend:g} {y2:g} {x2:g} {y2:g}"
        tip = f"M{x2 - 5:g} {y2:g}l7 -3.6v7.2z"
    far = " far" if abs(one.card.column - other.card.column) > 1 else ""
    said = f"{one.card.title} needs {other.card.title}: {line.weight} inputs"
    return (
        f'<g><title>{escape(said)}</title><path class="line c{one.card.column}{far}" '
        f'stroke-width="{width:.2g}" d="{path}"/><path class="tip c{one.card.column}" d="{tip}"/></g>'
    )


def _spread(box: Box, index: int, count: int, first: float, last: float) -> float:
    share = (first + last) / 2 if count == 1 else first + (last - first) * index / (count - 1)
    return round(box.y + box.height * share, 1)


def _legend(places: Layout) -> str:
    left = places.columns[0][1] if places.columns else 0
    return (
        f'<text class="sub" x="{left:g}" y="{places.height - 24:g}">'
        "A line leads from a concern to what it depends on. "
        f'<tspan class="data">Green</tspan> holds data that cannot be recreated.</text>'
    )


def _short(kind: str) -> str:
    return kind if len(kind) <= 25 else kind[:24].rstrip() + "…"


WIDTH, GAP, COLUMN_GAP = 204, 20, 68
TOP, MARGIN = 132, 36
HEAD, ROW, FOOT = 52, 18, 12
MOST_ROWS = 6


@dataclass(frozen=True)
class Box:
    """A card's position and size, in pixels."""

    card: Card
    x: float
    y: float
    height: float

    @property
    def right(self) -> float:
        """x of the right side."""
        return self.x + WIDTH

    @property
    def bottom(self) -> float:
        """y of the lower side."""
        return self.y + self.height


@dataclass(frozen=True)
class Layout:
    """All positions, and the size of the picture, in pixels."""

    boxes: tuple[Box, ...]
    columns: tuple[tuple[str, float], ...]
    """Headings, and the x where their columns begin."""
    width: float
    height: float


def rows(card: Card) -> list[tuple[str, int]]:
    """The kinds that fit on a card; the others are summed up."""
    if len(card.kinds) <= MOST_ROWS:
        return list(card.kinds)
    shown = list(card.kinds[: MOST_ROWS - 1])
    return [*shown, ("and more", card.resources - sum(count for _, count in shown))]


def layout(picture: Picture) -> Layout:
    """Positions in columns from the client to the data; each column is centred on the tallest."""
    used = [index for index in range(len(COLUMNS)) if any(card.column == index for card in picture.cards)]
    stacks = {index: [card for card in picture.cards if card.column == index] for index in used}
    heights = {index: _height(cards) for index, cards in stacks.items()}
    tallest = max(heights.values(), default=0.0)
    boxes: list[Box] = []
    columns: list[tuple[str, float]] = []
    for place, index in enumerate(used):
        x = MARGIN + place * (WIDTH + COLUMN_GAP)
        y = TOP + (tallest - heights[index]) / 2
        columns.append((COLUMNS[index], x))
        for card in stacks[index]:
            boxes.append(Box(card, x, y, card_height(card)))
            y += card_height(card) + GAP
    width = 2 * MARGIN + len(used) * (WIDTH + COLUMN_GAP) - COLUMN_GAP
    return Layout(tuple(boxes), tuple(columns), width, TOP + tallest + 64)


def card_height(card: Card) -> float:
    """The height of one card."""
    return HEAD + ROW * len(rows(card)) + FOOT


def _height(cards: list[Card]) -> float:
    return sum(card_height(card) for card in cards) + GAP * (len(cards) - 1)

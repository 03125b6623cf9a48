"""Where everything of a picture stands, in pixels. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from infra.picture.model import COLUMNS, Card, Picture

WIDTH, GAP, COLUMN_GAP = 204, 20, 68
TOP, MARGIN = 132, 36
HEAD, ROW, FOOT = 52, 18, 12
MOST_ROWS = 6


@dataclass(frozen=True)
class Box:
    """A card's place."""

    card: Card
    x: float
    y: float
    height: float

    @property
    def right(self) -> float:
        """Its right side."""
        return self.x + WIDTH

    @property
    def bottom(self) -> float:
        """Its lower side."""
        return self.y + self.height


@dataclass(frozen=True)
class Layout:
    """All places, and the size of the whole."""

    boxes: tuple[Box, ...]
    columns: tuple[tuple[str, float], ...]
    """Headings and where their columns begin."""
    width: float
    height: float


def rows(card: Card) -> list[tuple[str, int]]:
    """The kinds that a card has room for; the rest is summed up."""
    if len(card.kinds) <= MOST_ROWS:
        return list(card.kinds)
    shown = list(card.kinds[: MOST_ROWS - 1])
    return [*shown, ("and more", card.resources - sum(count for _, count in shown))]


def layout(picture: Picture) -> Layout:
    """Columns from the client to the ground; each column is centred on the tallest."""
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
    """Of one card."""
    return HEAD + ROW * len(rows(card)) + FOOT


def _height(cards: list[Card]) -> float:
    return sum(card_height(card) for card in cards) + GAP * (len(cards) - 1)

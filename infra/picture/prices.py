"""The price table `prices.toml`: list prices with their date and source."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Price:
    """Of one thing."""

    usd: float
    """For a month of it."""
    source: str
    verified: bool


@dataclass(frozen=True)
class Prices:
    """The table."""

    date: str
    region: str
    by_item: dict[str, Price]


@cache
def prices() -> Prices:
    """As the file has it, hourly prices times the hours of a month."""
    document = tomllib.loads(Path(__file__).with_name("prices.toml").read_text(encoding="utf-8"))
    found: dict[str, Price] = {}
    for group in document["price"]:
        hours = document["hours"] if group["unit"] == "hour" else 1
        for item, usd in group["items"].items():
            found[item] = Price(usd * hours, group["source"], group["verified"])
    return Prices(document["date"], document["region"], found)

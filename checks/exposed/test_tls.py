"""Transport security (X1)."""

from __future__ import annotations

from checks.kit.check import check
from checks.kit.site import Site

YEAR_SECONDS = 31_536_000


@check(
    "X1",
    severity="high",
    asvs="3.4.1",
    standard="Mozilla Observatory hsts",
    why="one request over plain HTTP is enough for someone on the way to take a session",
    remedy="the edge sends it: is something in front of it taking headers away?",
)
def test_hsts_covers_a_year_and_subdomains(site: Site) -> None:
    value = site.get("/").headers.get("strict-transport-security", "")
    words = {word.strip().lower() for word in value.split(";")}
    ages = [int(word.partition("=")[2]) for word in words if word.startswith("max-age=")]
    assert ages, f"no Strict-Transport-Security with max-age, got {value!r}"
    assert ages[0] >= YEAR_SECONDS, f"max-age is {ages[0]} seconds, a year is {YEAR_SECONDS}"
    assert "includesubdomains" in words, f"subdomains are not covered: {value!r}"

"""Rules on settings of database and cache, and on their backup and maintenance windows."""

import re
from collections.abc import Iterator

from slipway.settings.aws import Aws, Cache, Database
from slipway.settings.stack import Stack
from slipway.settings.violations import Broken, shown

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = 24 * 60
_WEEK = 7 * _DAY
_SHORTEST_WINDOW = 30
"""Minutes; AWS's minimum."""
_LONGEST_WINDOW = _DAY
_DATABASE_TYPE = re.compile(r"^db\.[a-z]+[0-9]+[a-z0-9-]*\.[a-z0-9-]+$")
_CACHE_TYPE = re.compile(r"^cache\.[a-z]+[0-9]+[a-z0-9-]*\.[a-z0-9-]+$")
_GROWTH = 1.1
"""RDS User Guide: the limit of storage autoscaling is at least 10 % above the allocated storage."""
_CACHE_VERSIONS = ("7.0", "7.1")
"""ElastiCache's versions of Redis 7."""

Span = tuple[int, int]
"""First minute and length in minutes."""


def data_rules(stack: Stack, aws: Aws) -> Iterator[Broken]:
    """What is wrong with database and cache, if the stack has them."""
    if stack.database == "postgres":
        yield from _database(aws.database)
    if stack.redis:
        yield from _cache(aws.cache)


def _database(database: Database) -> Iterator[Broken]:
    if not _DATABASE_TYPE.match(database.type):
        yield (
            ("aws", "database", "type"),
            f"must be an RDS instance class, got {shown(database.type)}",
            'it begins with db., for example "db.t4g.medium"',
        )
    if database.max_storage_gb < database.storage_gb * _GROWTH:
        yield (
            ("aws", "database", "max_storage_gb"),
            f"must be at least a tenth more than storage_gb ({database.storage_gb}),"
            f" got {database.max_storage_gb}: AWS rejects less",
            f"at least {-(-database.storage_gb * 11 // 10)}",
        )
    yield from _windows(database)


def _cache(cache: Cache) -> Iterator[Broken]:
    if not _CACHE_TYPE.match(cache.type):
        yield (
            ("aws", "cache", "type"),
            f"must be an ElastiCache node type, got {shown(cache.type)}",
            'it begins with cache., for example "cache.t4g.small"',
        )
    if cache.version not in _CACHE_VERSIONS:
        yield (
            ("aws", "cache", "version"),
            f"must be {' or '.join(_CACHE_VERSIONS)}, got {shown(cache.version)}: ElastiCache has no others",
            "",
        )


def _windows(database: Database) -> Iterator[Broken]:
    backup = daily_span(database.backup_window)
    maintenance = weekly_span(database.maintenance_window)
    for key, window, span, example in (
        ("backup_window", database.backup_window, backup, "02:00-03:00"),
        ("maintenance_window", database.maintenance_window, maintenance, "sun:03:30-sun:04:30"),
    ):
        if span is None or not _SHORTEST_WINDOW <= span[1] <= _LONGEST_WINDOW:
            yield (
                ("aws", "database", key),
                f"must be {_SHORTEST_WINDOW} minutes to a day, in hours and minutes that exist,"
                f" got {shown(window)}",
                f'for example "{example}"',
            )
    if backup and maintenance and overlap(backup, maintenance):
        yield (
            ("aws", "database", "maintenance_window"),
            f"{database.maintenance_window} overlaps the backup window {database.backup_window}:"
            " AWS rejects that",
            "let one begin after the other has ended",
        )


def daily_span(window: str) -> Span | None:
    """`02:00-03:00` in minutes of the day; it may extend past midnight. None: not a valid time."""
    start, end = (_minute(time) for time in window.split("-"))
    return None if start is None or end is None else (start, (end - start) % _DAY)


def weekly_span(window: str) -> Span | None:
    """`sun:03:30-sun:04:30` in minutes since Monday; it may extend past Sunday. None: not a valid time."""
    days, minutes = zip(*((when[:3], _minute(when[4:])) for when in window.split("-")), strict=True)
    if None in minutes or not set(days) <= set(_DAYS):
        return None
    start, end = (_DAYS.index(day) * _DAY + (minute or 0) for day, minute in zip(days, minutes, strict=True))
    return start, (end - start) % _WEEK


def overlap(daily: Span, weekly: Span) -> bool:
    """Do a daily and a weekly window share a minute?"""
    start, end = weekly[0], weekly[0] + weekly[1]
    # From the day before, whose window may extend past midnight, to a week that began on Sunday.
    begins = (day * _DAY + daily[0] for day in range(-1, 15))
    return any(begin < end and start < begin + daily[1] for begin in begins)


def _minute(time: str) -> int | None:
    hour, minute = int(time[:2]), int(time[3:])
    return hour * 60 + minute if hour < 24 and minute < 60 else None

"""What every table of settings is made of: a model closed to unknown keys, and texts of a checked form.

A text is one line of printable characters unless its field is `Lines`: it may become a line of a unit, a
configuration or a request. PATTERNS holds the words with which errors and the reference describe each form.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Any, cast, get_args

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationInfo, field_validator

NAME_PATTERN = r"^[a-z][a-z0-9-]{0,30}$"
PATH_PATTERN = r"^/[!-~]*$"
PLAIN_PATH = r"^/[A-Za-z0-9._~!$&()*+,=:@/?%-]*$"
_FOLDER = r"^[\p{L}\p{N}._@+~,=-]([\p{L}\p{N}._@+~,=/ -]*[\p{L}\p{N}._@+~,=/-])?$"
_ENV_NAME = r"^[A-Z][A-Z0-9_]*$"
_CHECK_ID = r"^[PISX][0-9]{1,2}/[a-z0-9-]+$"
_WAIVER = r"^.*\S.*, until [0-9]{4}-[0-9]{2}-[0-9]{2}$"
_REQUEST = r"^(GET|POST|PUT|PATCH|DELETE|HEAD) /[!-~]*$"
_CALENDAR = r"^ *[A-Za-z0-9*][A-Za-z0-9 *:,./~_+-]*$"
_ACME_EMAIL = r"^[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$"
_MEMORY = r"^[1-9][0-9]{0,6}[MG]$"


class MayHoldLines:
    """Marks a type whose texts may hold line breaks and tabs."""


Lines = Annotated[str, MayHoldLines()]
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
EnvName = Annotated[str, StringConstraints(pattern=_ENV_NAME)]
HttpPath = Annotated[str, StringConstraints(pattern=PATH_PATTERN)]
PlainPath = Annotated[str, StringConstraints(pattern=PLAIN_PATH)]
"""A path that HAProxy is given as a word: without quotes, `;`, `#` and backslashes."""
Folder = Annotated[str, StringConstraints(pattern=_FOLDER)]
"""A folder that systemd is given: without backslashes, quotes and `%`."""
Calendar = Annotated[str, StringConstraints(pattern=_CALENDAR)]
"""A time of systemd's OnCalendar: a backslash at its end would join the next line of the unit to it."""
Request = Annotated[str, StringConstraints(pattern=_REQUEST)]
CheckId = Annotated[str, StringConstraints(pattern=_CHECK_ID)]
WaiverText = Annotated[str, StringConstraints(pattern=_WAIVER)]
Command = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True), MayHoldLines()]
AcmeEmail = Annotated[str, StringConstraints(pattern=_ACME_EMAIL)]
"""An e-mail address that may name a folder, as it does for the ACME client."""
Memory = Annotated[str, StringConstraints(pattern=_MEMORY)]

PATTERNS: dict[str, tuple[str, str]] = {
    _ACME_EMAIL: ("must be an e-mail address", 'for example "oncall@example.com"'),
    PATH_PATTERN: (
        'must start with "/" and contain only visible ASCII characters',
        "percent-encode all others",
    ),
    PLAIN_PATH: (
        'must start with "/" and contain only letters, digits and ._~!$&()*+,=:@/?%-',
        "HAProxy reads it as a word of its configuration",
    ),
    _FOLDER: (
        "must be a relative folder of letters, digits, spaces and ._@+~,=-",
        "systemd reads it as a line of a unit",
    ),
    _CALENDAR: ("must be a systemd calendar time", 'for example "*:0/5" or "Mon *-*-* 09:00"'),
    NAME_PATTERN: (
        "must be lowercase letters, digits and hyphens, start with a letter and have at most 31 characters",
        "",
    ),
    _ENV_NAME: ("must be uppercase letters, digits and underscores", ""),
    _MEMORY: ("must be a number of megabytes or gigabytes", 'for example "512M" or "2G"'),
    r"^(base64|hex):[0-9]{1,4}$": (
        "must be a form and a number of bytes",
        'for example "base64:32" or "hex:32"',
    ),
    _REQUEST: ("must be a method and a path", 'for example "GET /health" or "POST /api/tasks"'),
    _CHECK_ID: (
        "must be the whole id of a check",
        'for example "X13/every-answer-has-a-request-id"; docs/checks-matrix.md has all of them',
    ),
    _WAIVER: ("must be a reason and a date", 'for example "no browser uses this API, until 2027-01-31"'),
    r"^[0-9]{12}$": ("must be 12 digits in quotes", 'for example "123456789012"'),
    r"^[a-z]{2}(-[a-z]+)+-[0-9]$": ("must be an AWS region", 'for example "eu-central-1"'),
    r"^[a-z]{2,6}[0-9]-az[0-9]{1,2}$": (
        "must be the id of a zone",
        'for example "use1-az1": a letter (us-east-1a) is another place in every account',
    ),
    r"^[0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2}$": (
        "must be two times of the day, UTC",
        'for example "02:00-03:00"',
    ),
    r"^[a-z]{3}:[0-9]{2}:[0-9]{2}-[a-z]{3}:[0-9]{2}:[0-9]{2}$": (
        "must be two times of the week, UTC",
        'for example "sun:03:30-sun:04:30"',
    ),
    r"^[^@\s]+@[^@\s]+\.[^@\s]+$": ("must be an e-mail address", 'for example "oncall@example.com"'),
    r"^[0-9]+(\.[0-9]+)?$": ("must be a version in quotes", 'for example "16"'),
    r"^7\.[0-9]+$": ("must be a version 7 in quotes", 'for example "7.1"'),
    r"^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$": ("must be owner/name", 'for example "example/board"'),
    r"^[0-9a-f]{32}$": (
        "must be 32 digits and letters a to f",
        "Cloudflare's dashboard shows it on the zone's overview",
    ),
}
"""Problem and remedy of a text that does not match, by pattern."""


NO_TEXT = re.compile(
    "[\ud800-\udfff\ufdd0-\ufdef"
    + "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
    + "]"
)
"""Surrogates and noncharacters: systemd discards a line, or a whole env file, that holds one."""
_IN_NO_LINE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_IN_NO_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


def unfit_character(text: str, *, lines: bool = False) -> str:
    """The first character that would not stay in its place, as `U+000A`; empty if there is none."""
    found = (_IN_NO_TEXT if lines else _IN_NO_LINE).search(text) or NO_TEXT.search(text)
    return f"U+{ord(found[0]):04X}" if found else ""


class Table(BaseModel):
    """A model that is frozen, closed to unknown keys, and whose texts hold no control characters."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="after", check_fields=False)
    @classmethod
    def _of_printable_characters(cls, value: Any, info: ValidationInfo) -> Any:
        lines = _may_hold_lines(cls, info.field_name or "")
        for text in _texts(value):
            if found := unfit_character(text, lines=lines):
                raise ValueError(f"must not contain the control character {found}")
        return value


@cache
def _may_hold_lines(model: type[BaseModel], field: str) -> bool:
    info = model.model_fields[field]
    return any(isinstance(each, MayHoldLines) for each in (*info.metadata, *_marks(info.annotation)))


def _marks(annotation: Any) -> Iterator[object]:
    """What `annotation` and its parts are annotated with."""
    yield from getattr(annotation, "__metadata__", ())
    for part in get_args(annotation):
        yield from _marks(part)


def _texts(value: object) -> Iterator[str]:
    """Every text in `value`, keys too. Tables in it have checked theirs."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in cast("Mapping[object, object]", value).items():
            yield from _texts(key)
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in cast("list[object]", value):
            yield from _texts(inner)


class Setting(Table):
    """A table of settings."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

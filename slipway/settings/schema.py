"""What every table of settings is made of: a model closed to unknown keys, and texts of a checked form.

PATTERNS holds the words with which errors and the reference describe each form.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

NAME_PATTERN = r"^[a-z][a-z0-9-]{0,30}$"
PATH_PATTERN = r"^/[^\s]*$"
_ENV_NAME = r"^[A-Z][A-Z0-9_]*$"
_CHECK_ID = r"^[PISX]\d{1,2}/[a-z0-9-]+$"
_WAIVER = r"^.*\S.*, until \d{4}-\d\d-\d\d$"
_REQUEST = r"^(GET|POST|PUT|PATCH|DELETE|HEAD) /\S*$"

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
EnvName = Annotated[str, StringConstraints(pattern=_ENV_NAME)]
HttpPath = Annotated[str, StringConstraints(pattern=PATH_PATTERN)]
Request = Annotated[str, StringConstraints(pattern=_REQUEST)]
CheckId = Annotated[str, StringConstraints(pattern=_CHECK_ID)]
WaiverText = Annotated[str, StringConstraints(pattern=_WAIVER)]
Command = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]

PATTERNS: dict[str, tuple[str, str]] = {
    PATH_PATTERN: ('must start with "/" and contain no spaces', ""),
    NAME_PATTERN: (
        "must be lowercase letters, digits and hyphens, start with a letter and have at most 31 characters",
        "",
    ),
    _ENV_NAME: ("must be uppercase letters, digits and underscores", ""),
    r"^\d+[MG]$": ("must be a number of megabytes or gigabytes", 'for example "512M" or "2G"'),
    r"^(base64|hex):\d+$": ("must be a form and a number of bytes", 'for example "base64:32" or "hex:32"'),
    _REQUEST: ("must be a method and a path", 'for example "GET /health" or "POST /api/tasks"'),
    _CHECK_ID: (
        "must be the whole id of a check",
        'for example "X13/every-answer-has-a-request-id"; docs/checks-matrix.md has all of them',
    ),
    _WAIVER: ("must be a reason and a date", 'for example "no browser uses this API, until 2027-01-31"'),
    r"^\d{12}$": ("must be 12 digits in quotes", 'for example "123456789012"'),
    r"^[a-z]{2}(-[a-z]+)+-\d$": ("must be an AWS region", 'for example "eu-central-1"'),
    r"^\d\d:\d\d-\d\d:\d\d$": ("must be two times of the day, UTC", 'for example "02:00-03:00"'),
    r"^[a-z]{3}:\d\d:\d\d-[a-z]{3}:\d\d:\d\d$": (
        "must be two times of the week, UTC",
        'for example "sun:03:30-sun:04:30"',
    ),
    r"^[^@\s]+@[^@\s]+\.[^@\s]+$": ("must be an e-mail address", 'for example "oncall@example.com"'),
    r"^\d+(\.\d+)?$": ("must be a version in quotes", 'for example "16"'),
    r"^7\.\d+$": ("must be a version 7 in quotes", 'for example "7.1"'),
    r"^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$": ("must be owner/name", 'for example "example/board"'),
    r"^[0-9a-f]{32}$": (
        "must be 32 digits and letters a to f",
        "Cloudflare's dashboard shows it on the zone's overview",
    ),
}
"""Problem and remedy of a text that does not match, by pattern."""


class Setting(BaseModel):
    """A table of settings: frozen, and closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

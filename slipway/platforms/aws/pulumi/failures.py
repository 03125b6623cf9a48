"""What the engine says when it cannot work, and what a person should do. Pure: a table of its own words."""

from __future__ import annotations

import re
from dataclasses import dataclass

from slipway.platforms.aws.pulumi.lock import is_locked, read_locks
from slipway.settings.errors import BadInput, LeaseHeld, SlipwayError

_COLOURS = re.compile(r"\x1b\[[0-9;]*m|<\{%[^%]*%\}>")
_LABELS = re.compile(r"^ (?:code|stdout|stderr): ?", re.MULTILINE)
"""With which the Automation API sets out what the CLI printed."""
_LINES = 12


@dataclass(frozen=True)
class Known:
    """A failure that a person can act on; `says` is a pattern in the engine's message."""

    says: str
    message: str
    remedy: str


KNOWN: tuple[Known, ...] = (
    Known(
        r"passphrase must be set|passphrase-file|PULUMI_CONFIG_PASSPHRASE(_FILE)? .*(must|not) ",
        "the stack's passphrase is not given",
        "set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE",
    ),
    Known(
        r"incorrect passphrase",
        "the stack's passphrase is wrong",
        "set PULUMI_CONFIG_PASSPHRASE to what the stack was made with",
    ),
    Known(
        r"PULUMI_ACCESS_TOKEN must be set|you must be logged in|run `?pulumi login|invalid access token",
        "the engine is not logged in to where its state is kept",
        "`pulumi login s3://<bucket>` (or another backend), or set PULUMI_BACKEND_URL",
    ),
    Known(
        r"no resource plugin|could not load plugin|failed to download plugin|no .* plugin '[^']+' found"
        r"|error installing plugin|failed to install plugin|install resource plugin",
        "a plugin of the engine is missing and cannot be fetched",
        "`pulumi plugin install` on a machine with network, or allow it to reach the plugin's server",
    ),
    Known(
        r"unable to open (bucket|state)|could not (open|read|access) (the )?(state|bucket)"
        r"|read \".pulumi/meta.yaml\"|error listing stacks|failed to log in",
        "the place where the engine keeps its state cannot be reached",
        "check PULUMI_BACKEND_URL and the credentials for it",
    ),
    Known(
        r"Could not find `uv`|doesn't appear to be a virtual environment|there is no Python in",
        "the program's Python is not there",
        "`uv sync` beside Pulumi.yaml, with uv on PATH",
    ),
    Known(
        r"no valid credential sources|No valid credential|failed to refresh cached credentials"
        r"|ExpiredToken|InvalidClientTokenId|get credentials",
        "there are no valid AWS credentials",
        "sign in (`aws sso login`, or the role that CI assumes) and try again",
    ),
    Known(
        r"AWS account ID not allowed|account ID .* not allowed|allowed_account_ids",
        "the credentials are for another AWS account than slipway:aws account",
        "sign in to the account that Pulumi.<stack>.yaml names",
    ),
)


def explain(said: str, *, doing: str) -> SlipwayError:
    """The failure behind what the CLI said while `doing` something (`the preview`)."""
    text = _LABELS.sub("", _COLOURS.sub("", said))
    if is_locked(text):
        return locked(text)
    for known in KNOWN:
        if re.search(known.says, text):
            return BadInput(f"{doing}: {known.message}", remedy=known.remedy, details=_first_errors(text)[:3])
    details = _first_errors(text) or [line for line in text.splitlines() if line.strip()][-_LINES:]
    return SlipwayError(
        f"{doing} failed", remedy="what is done stays; run it again when the cause is gone", details=details
    )


def locked(text: str) -> LeaseHeld:
    """Another update has the stack."""
    locks = read_locks(text)
    if not locks:
        return LeaseHeld(
            "another update of the stack is running",
            remedy="wait for it; the backend's console shows whose it is, and `pulumi cancel` ends it",
        )
    return LeaseHeld(
        "another update of the stack is running, or was cut off",
        details=[f"{lock.owner} since {lock.at:%Y-%m-%d %H:%M:%S %Z}" for lock in locks],
        remedy="wait for it; if you know that it is dead, `slipway up --break-lock "
        f"{locks[0].owner}`" + (" after the others are gone" if len(locks) > 1 else ""),
    )


def _first_errors(text: str) -> list[str]:
    """The lines that say error, each with what belongs to it; without Python's own way to the place."""
    lines = [line.strip() for line in text.splitlines()]
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    raised = [line for line in lines if re.match(r"[\w.]+(Error|Exception|Input|Settings): ", line)]
    return list(dict.fromkeys(errors + raised))[:_LINES]

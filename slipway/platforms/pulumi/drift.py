"""Drift: what in the cloud is not as the last update left it, and how bad that is."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from pulumi.automation.events import EngineEvent, StepEventMetadata

from slipway.platforms.platform import SEVERITIES, Difference, Severity
from slipway.platforms.pulumi.open import explained, open_stack
from slipway.platforms.pulumi.plan import STATEFUL, step_of, unread
from slipway.progress import Progress
from slipway.secrets.rules import holds_key
from slipway.settings import NeedsPerson, Project

ODD: tuple[Severity, str] = ("low", "differs in nothing that the engine shows")


def drift(project: Project, progress: Progress) -> list[Difference]:
    """Ask the cloud for every resource and compare; the worst first. Changes nothing, not even the state."""
    stack = open_stack(project, progress, make=False)
    events: list[EngineEvent] = []
    with progress.phase("refresh"), explained("looking for drift"):
        result = stack.preview_refresh(on_event=events.append, color="never")
    steps = [step_of(metadata, logical=True) for metadata in _ended(events)]
    odd = unread(steps, {str.__str__(op): number for op, number in (result.change_summary or {}).items()})
    if odd:
        raise NeedsPerson(
            f"what the engine found could not be read in full ({', '.join(odd)})",
            remedy="use a Pulumi CLI and a Python package pulumi of about the same version",
        )
    return differences(events)


def differences(events: Iterable[EngineEvent]) -> list[Difference]:
    """The differences in the events of a refresh, the worst first. Pure."""
    found = [each for metadata in _ended(events) for each in _of(metadata)]
    return sorted(found, key=lambda each: (SEVERITIES.index(each.severity), each.urn, each.path))


def _ended(events: Iterable[EngineEvent]) -> list[StepEventMetadata]:
    return [event.res_outputs_event.metadata for event in events if event.res_outputs_event is not None]


def _of(told_of: StepEventMetadata) -> list[Difference]:
    name = told_of.urn.rpartition("::")[2]
    if told_of.op.value == "delete":
        level, why = severity_of_loss(told_of.type)
        return [Difference(level, told_of.urn, name, told_of.type, "", "there", "gone", why)]
    if told_of.op.value != "update" or told_of.old is None or told_of.new is None:
        return []
    given = told_of.old.inputs or {}
    found: list[Difference] = []
    for path, was, now in differing(told_of.old.outputs or {}, told_of.new.outputs or {}):
        level, why = severity(told_of.type, path)
        if level == "medium" and path.partition(".")[0].partition("[")[0] not in given:
            level, why = "low", "the program does not set it"
        found.append(Difference(level, told_of.urn, name, told_of.type, path, was, now, why))
    if not found:
        # The engine redacts secrets in its events, so all that is known is that something differs.
        level, why = ("high", "a secret value differs") if holds_secret(told_of.old.outputs) else ODD
        found.append(Difference(level, told_of.urn, name, told_of.type, "", HIDDEN, HIDDEN, why))
    return found


@dataclass(frozen=True)
class Rule:
    """The first rule whose patterns match a resource's token and a property's path decides."""

    token: str
    path: str
    severity: Severity
    why: str


RULES: tuple[Rule, ...] = (
    Rule(r".", r"^(tags|tagsAll|labels|description|comment)\b", "low", "does nothing by itself"),
    Rule(r"slipway:Fleet$", r"^states\b", "high", "a host does not run"),
    Rule(r"[sS]ecurityGroup|networkAcl|NetworkAcl", r".", "high", "who may connect"),
    Rule(r"[pP]ublicAccessBlock|[oO]wnershipControls|bucketAcl", r".", "high", "who may read the bucket"),
    Rule(r"[pP]olicy|^aws:iam/|[rR]olePolicy", r".", "high", "who may do what"),
    Rule(r".", r"[pP]olicy|[pP]rincipal|[pP]ermission|assumeRole", "high", "who may do what"),
    Rule(r".", r"publiclyAccessible|associatePublicIp|public(Read|Access)", "high", "open to the internet"),
    Rule(r".", r"cidr|ipv[46]|prefixList|sourceSecurityGroup", "high", "who may connect"),
    Rule(r".", r"[eE]ncrypt|kmsKey|transitEncryption|sse[A-Z]|httpTokens", "high", "encryption or its key"),
    Rule(r".", r"deletionProtection|skipFinalSnapshot|forceDestroy|backupRetention", "high", "data may go"),
    Rule(r"lb/listener|lb/trustStore|acm/", r".", "high", "how the site is reached and proves itself"),
    Rule(r"wafv2|webAcl|cloudflare:index/ruleset", r".", "high", "what is let in"),
    Rule(r"cloudflare:index/zoneSetting", r".", "high", "how Cloudflare reaches the origin"),
    Rule(r"cloudtrail|flowLog|[aA]larm|budgets", r".", "medium", "something may happen unnoticed"),
    Rule(r"autoscaling/group", r"^(desiredCapacity|instances)\b", "low", "scaling moves it"),
)


def severity(token: str, path: str) -> tuple[Severity, str]:
    """How bad a difference in `path` of a resource of this type is, and why."""
    for rule in RULES:
        if re.search(rule.token, token) and re.search(rule.path, path):
            return rule.severity, rule.why
    return "medium", "differs from the program"


def severity_of_loss(token: str) -> tuple[Severity, str]:
    """How bad it is that a resource is gone."""
    if token in STATEFUL:
        return "high", f"gone, and with it {STATEFUL[token]}"
    found, why = severity(token, "id")
    return ("high", f"gone: {why}") if found == "high" else ("medium", "gone")


LONGEST = 80
HIDDEN = "[secret]"
ABSENT = "(none)"
_MACHINERY = "__"
"""How the engine's own properties begin: __provider, __defaults."""
_SECRET_MARK = "4dabf18193072939515e22adb298388d"  # noqa: S105 - a mark, no password
"""The key by which the engine's documents mark a secret."""
_SECRET_NAMES = re.compile(r"password|passwd|secret(?!s?Arn|.*(Arn|Name|Id)$)|token|private|credential", re.I)


def differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """`(path, was, is)` of every leaf that differs, by path: `ingress[0].cidrBlocks[1]`."""
    return [(path, _show(path, was), _show(path, now)) for path, was, now in _leaves("", old, new)]


def holds_secret(value: object) -> bool:
    """Is there a secret, redacted by the engine, anywhere in `value`?"""
    return _SECRET_MARK in json.dumps(value, default=str)


def _leaves(path: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    if old == new:
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        before, after = cast("Mapping[str, Any]", old), cast("Mapping[str, Any]", new)
        for key in sorted({*before, *after}):
            if not key.startswith(_MACHINERY):
                below = f"{path}.{key}" if path else key
                yield from _leaves(below, before.get(key, ABSENT), after.get(key, ABSENT))
    elif isinstance(old, list) and isinstance(new, list):
        before, after = cast("Sequence[Any]", old), cast("Sequence[Any]", new)
        for index in range(max(len(before), len(after))):
            was = before[index] if index < len(before) else ABSENT
            now = after[index] if index < len(after) else ABSENT
            yield from _leaves(f"{path}[{index}]", was, now)
    else:
        yield path, old, new


def _show(path: str, value: Any) -> str:
    """The value as a person reads it. A name that sounds of secrets hides it, and so does a key's look."""
    if value == ABSENT:
        return ABSENT
    text = value if isinstance(value, str) else json.dumps(_without_secrets(value), sort_keys=True)
    if _SECRET_NAMES.search(path) or holds_key(text):
        return HIDDEN
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _without_secrets(value: Any) -> Any:
    if isinstance(value, Mapping):
        items = cast("Mapping[str, Any]", value).items()
        return {k: HIDDEN if _SECRET_NAMES.search(k) else _without_secrets(v) for k, v in items}
    if isinstance(value, list):
        return [_without_secrets(item) for item in cast("Sequence[Any]", value)]
    return value

"""The failures of a run as SARIF 2.1.0, which GitHub's security tab and other scanners' viewers read."""

from __future__ import annotations

import json
from typing import Any

from checks.kit.check import Severity
from checks.kit.results import Result, Run
from checks.kit.rows import heading, link_to_asvs, sentence

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS: dict[Severity, tuple[str, str]] = {
    "critical": ("error", "9.5"), "high": ("error", "8.0"),
    "medium": ("warning", "5.5"),
    "low": ("note", "2.0"),
}  # fmt: skip
"""SARIF's level, and the number by which GitHub sorts: above 9 critical, 7 high, 4 medium."""


def sarif(run: Run) -> str:
    """One result for each check and host that failed; those that are waived are suppressed."""
    shown = [each for each in run.results if each.verdict in ("fail", "waived")]
    untried = [each for each in run.results if each.verdict == "could not be tried"]
    rules = list({each.id: each for each in shown}.values())
    document = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "slipway check", "rules": [_rule(each) for each in rules]}},
                "automationDetails": {"id": f"slipway/{run.stack}/"},
                "invocations": [
                    {
                        "executionSuccessful": not untried,
                        "startTimeUtc": run.started.strftime("%Y-%m-%dT%H:%M:%SZ"),
                        "toolExecutionNotifications": [
                            {"level": "warning", "message": {"text": f"{_where(each)}: {each.reason}"}}
                            for each in untried
                        ],
                    }
                ],
                "results": [_result(each, run, rules) for each in shown],
            }
        ],
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _rule(of: Result) -> dict[str, Any]:
    level, number = LEVELS[of.severity]
    tags = ["security", *of.rows, *([f"ASVS-{of.asvs}"] if of.asvs else [])]
    rule: dict[str, Any] = {
        "id": of.id,
        "name": of.title,
        "shortDescription": {"text": f"{heading(of.rows[0])}: {sentence(of.title)}"},
        "fullDescription": {"text": of.why or of.title},
        "help": {"text": f"Remedy: {of.remedy}"},
        "defaultConfiguration": {"level": level},
        "properties": {"security-severity": number, "tags": tags},
    }
    if link := link_to_asvs(of.asvs):
        rule["helpUri"] = link
    return rule


def _result(of: Result, run: Run, rules: list[Result]) -> dict[str, Any]:
    ids = [each.id for each in rules]
    found: dict[str, Any] = {
        "ruleId": of.id,
        "ruleIndex": ids.index(of.id),
        "level": LEVELS[of.severity][0],
        "message": {"text": f"{f'{of.host}: ' if of.host else ''}{of.reason}\nRemedy: {of.remedy}"},
        # GitHub shows a result only at a file of the repository.
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": run.settings}, "region": {"startLine": 1}},
                "logicalLocations": [{"name": of.host or run.stack, "kind": "resource"}],
            }
        ],
        "partialFingerprints": {"slipwayCheck/v1": f"{run.stack}:{_where(of)}"},
    }
    if of.verdict == "waived":
        found["suppressions"] = [{"kind": "external", "status": "accepted", "justification": of.reason}]
    return found


def _where(of: Result) -> str:
    return f"{of.id}@{of.host}" if of.host else of.id

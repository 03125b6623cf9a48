"""The lines that hosts have sent to CloudWatch Logs, those of hosts that are gone too."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from slipway.platforms.aws.session import AwsInput, AwsRefused, AwsSession
from slipway.platforms.platform import LogSearch

if TYPE_CHECKING:
    from slipway.settings.aws_names import AwsNames


def kept_logs(session: AwsSession, names: AwsNames, search: LogSearch) -> Iterator[tuple[str, str]]:
    """Host and line of the newest `search.lines` lines of each host that match, the oldest first."""
    found: dict[str, deque[tuple[int, str]]] = {}
    for role in search.roles:
        for event in _events(session, names.log_group(role), search):
            process, text = _read(event["message"])
            if not search.fits(process):
                continue
            at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
            line = f"{at:%Y-%m-%dT%H:%M:%S+0000} {process}: {text}"
            if search.matches(line):
                kept = found.setdefault(event["logStreamName"], deque(maxlen=search.lines))
                kept.append((event["timestamp"], line))
    for host, kept in sorted(found.items()):
        yield from ((host, line) for _, line in sorted(kept, key=lambda each: each[0]))


def _events(session: AwsSession, group: str, search: LogSearch) -> Iterator[dict[str, Any]]:
    given: dict[str, Any] = {"logGroupName": group, "startTime": int(search.since.timestamp() * 1000)}
    if search.host:
        given["logStreamNames"] = [search.host]
    while True:
        try:
            answer = session.call("logs", "filter_log_events", **given)
        except (AwsInput, AwsRefused) as error:
            # The group of a stack that is going, or a host that never wrote to this role's group.
            if error.code == "ResourceNotFoundException":
                return
            raise
        yield from answer["events"]
        if not answer.get("nextToken"):
            return
        given["nextToken"] = answer["nextToken"]


def _read(message: str) -> tuple[str, str]:
    """The process of a line, and the line as the app wrote it (hosts/agent/forward.py adds `slipway`)."""
    try:
        fields = cast("dict[str, Any]", json.loads(message))
        own = fields.pop("slipway")
        process = str(own["process"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", message
    if set(fields) == {"message"} and isinstance(fields["message"], str):
        return process, fields["message"]
    return process, message

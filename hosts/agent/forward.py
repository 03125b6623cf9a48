"""Forward: the host's journal to CloudWatch Logs, each line as JSON with the release and the host it is from.

A line that is a JSON object stays as the app wrote it, with one more key, `slipway`; any other becomes
`{"message": …, "slipway": …}`. HAProxy's line for every request stays on the host: the load balancer logs
requests too. Nothing is sent twice, unless the host dies between AWS's answer and the note of it.
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
"""

from __future__ import annotations

import json
import os
import re
import time

from . import durable, envfile
from .aws import Answer, Cloud
from .errors import AgentError, Interrupted
from .host import Host, Paths
from .json_object import JsonObject, cast
from .state import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Event = tuple[int, str]
    """Milliseconds since 1970, and the message."""

ROUND_SECONDS = 5.0
EVENT_BYTES = 200_000
"""Longest message; AWS takes at least 256 KB with its own 26 bytes."""
BATCH_BYTES, BATCH_EVENTS, _OVERHEAD = 1_000_000, 10_000, 26
"""AWS's limits of one call are 1,048,576 bytes, with 26 for each event, and 10,000 events."""
BATCH_SPAN_MS = 23 * 3600 * 1000
"""The events of one call may be 24 hours apart."""
FIELDS = ("MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "_SYSTEMD_UNIT", "_PID")
_NOTICE = 5
"""HAProxy's lines of requests are less urgent than that."""
_UNIT = re.compile(r"slipway-[a-z0-9-]+@(blue|green)-\d+\.service")
_CRON = re.compile(r"slipway-cron-[a-z0-9-]+\.service")


def command(paths: Paths, host: Host, request: JsonObject) -> dict[str, object]:
    """See docs/agent.md, `forward`. Goes on until it is stopped; then sends what is left."""
    if not host.log_group:
        raise AgentError("not_set_up", f"{paths.host} names no log group: run `slipway up`")
    once = request.flag("once")
    try:
        while True:
            sent = forward(paths, host, entries(paths))
            if once:
                return sent
            time.sleep(ROUND_SECONDS)
    except Interrupted:
        return forward(paths, host, entries(paths))


def cursor_file(paths: Paths) -> str:
    """Where the position in the journal is kept, up to which AWS has everything."""
    return f"{paths.lib}/journal.cursor"


def journalctl(cursor: str) -> list[str]:
    """The command that prints what the journal has after `cursor`; without one, all of this boot."""
    argv = ["journalctl", "--quiet", "--no-pager", "--all", "--output=json"]
    argv.append(f"--output-fields={','.join(FIELDS)}")
    return [*argv, f"--after-cursor={cursor}" if cursor else "--boot"]


def entries(paths: Paths) -> Iterator[JsonObject]:
    """The journal's entries that AWS does not have yet, the oldest first."""
    import subprocess

    cursor = (durable.read(cursor_file(paths)) or b"").decode().strip()
    process = subprocess.Popen(
        journalctl(cursor), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with process:
        try:
            for line in process.stdout or ():
                yield JsonObject.parse(line, "journal")
        finally:
            process.terminate()
        said = (process.stderr.read() if process.stderr else b"").decode(errors="replace").strip()
    if said:
        raise AgentError("internal", f"journalctl: {said[:300]}")


def forward(paths: Paths, host: Host, found: Iterable[JsonObject]) -> dict[str, object]:
    """Send `found` in calls of AWS's size, and note after each how far AWS has them."""
    state = State.load(paths)
    hidden = sorted({text for slot in state.slots.values() for text in envfile.secrets(paths, slot)})
    stream = Stream(paths, host)
    batch: list[Event] = []
    size = sent = 0
    cursor = noted = ""
    for entry in found:
        if wanted(entry):
            event = event_of(entry, state, host, hidden)
            more = len(event[1].encode()) + _OVERHEAD
            if batch and (
                size + more > BATCH_BYTES
                or len(batch) == BATCH_EVENTS
                or abs(event[0] - batch[0][0]) > BATCH_SPAN_MS
            ):
                stream.put(batch)
                _note(paths, noted := cursor)
                sent, size, batch = sent + len(batch), 0, []
            batch.append(event)
            size += more
        cursor = entry.text("__CURSOR")
    if batch:
        stream.put(batch)
    if cursor != noted:
        _note(paths, cursor)
    return {"sent": sent + len(batch), "rejected": stream.rejected}


def wanted(entry: JsonObject) -> bool:
    """Whether a line leaves the host: all but HAProxy's of requests."""
    return entry.raw.get("SYSLOG_IDENTIFIER") != "haproxy" or _priority(entry) <= _NOTICE


def event_of(entry: JsonObject, state: State, host: Host, hidden: list[str]) -> Event:
    """A journal entry as CloudWatch gets it, without the values of secrets."""
    at_us = int(entry.text("__REALTIME_TIMESTAMP"))
    unit = entry.text("_SYSTEMD_UNIT", "")
    own: dict[str, object] = {"host": host.name, "unit": unit, "priority": _priority(entry)}
    if isinstance(name := entry.raw.get("SYSLOG_IDENTIFIER"), str):
        own["process"] = name
    if release := _release(state, unit, at_us / 1e6):
        own["release"] = release
    text = envfile.redact(_text(entry.raw.get("MESSAGE")), hidden)
    raw = text.encode(errors="replace")
    if len(raw) > EVENT_BYTES:
        text = raw[:EVENT_BYTES].decode(errors="ignore")
        own["cut"] = len(raw)
    return at_us // 1000, _with(text, json.dumps(own, separators=(",", ":")))


def _with(text: str, own: str) -> str:
    """`text` with the key `slipway`. An object keeps its own spelling: only its last brace moves."""
    inner = text.strip()
    if inner.startswith("{"):
        try:
            fields = json.loads(inner)
        except (ValueError, RecursionError):
            fields = None
        if isinstance(fields, dict):
            return f'{inner[:-1].rstrip()}{"," if fields else ""}"slipway":{own}}}'
    return f'{{"message":{json.dumps(text, ensure_ascii=False)},"slipway":{own}}}'


def _release(state: State, unit: str, at: float) -> int:
    """The release that wrote a line at `at`; 0 if that is not certain: the slot may have had another then."""
    if found := _UNIT.fullmatch(unit):
        slot = state.slots[found[1]]
    elif _CRON.fullmatch(unit) and state.live:
        slot = state.live
    else:
        return 0
    return slot.release if slot.staged and at >= slot.staged else 0


def _priority(entry: JsonObject) -> int:
    value = entry.raw.get("PRIORITY")
    return int(value) if isinstance(value, str) and value.isdecimal() else 6


def _text(message: object) -> str:
    """A message; journald prints one that is not valid UTF-8 as a list of bytes."""
    if isinstance(message, list):
        codes = cast("list[object]", message)
        return bytes(code for code in codes if isinstance(code, int)).decode(errors="replace")
    return message if isinstance(message, str) else ""


def _note(paths: Paths, cursor: str) -> None:
    os.makedirs(paths.lib, mode=0o700, exist_ok=True)
    durable.write(cursor_file(paths), cursor.encode())


class Stream:
    """The host's log stream in its role's group; made when the first events come."""

    def __init__(self, paths: Paths, host: Host) -> None:
        self._cloud = Cloud(paths, host.region)
        self._where = {"logGroupName": host.log_group, "logStreamName": host.name}
        self.rejected = 0
        """Events that AWS did not take: older than the group keeps, or of a clock that was wrong."""

    def put(self, batch: list[Event]) -> None:
        """Send one batch, in the order of time as AWS demands."""
        events = [
            {"timestamp": at, "message": text} for at, text in sorted(batch, key=lambda event: event[0])
        ]
        answer = self._call("PutLogEvents", logEvents=events)
        if answer.status == 400 and b"ResourceNotFoundException" in answer.body:
            made = self._call("CreateLogStream")
            if made.status != 200 and b"ResourceAlreadyExistsException" not in made.body:
                raise AgentError("cloud", f"CreateLogStream: {made.reason}")
            answer = self._call("PutLogEvents", logEvents=events)
        if answer.status != 200:
            raise AgentError("cloud", f"PutLogEvents: {answer.reason}")
        info = JsonObject.parse(answer.body, "PutLogEvents").section("rejectedLogEventsInfo")
        old = max(info.whole("tooOldLogEventEndIndex", 0), info.whole("expiredLogEventEndIndex", 0))
        new = info.whole("tooNewLogEventStartIndex", len(events))
        self.rejected += old + len(events) - new

    def _call(self, operation: str, **more: object) -> Answer:
        headers = {
            "content-type": "application/x-amz-json-1.1",
            "x-amz-target": f"Logs_20140328.{operation}",
        }
        body = json.dumps({**self._where, **more}).encode()
        return self._cloud.call("logs", "POST", "/", body, headers)

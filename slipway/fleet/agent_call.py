"""One call of the host agent: the request is its standard input, the answer its last line of output."""

import json
import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import ValidationError

from slipway.fleet.process import Completed, Lines
from slipway.fleet.replies import Reply
from slipway.fleet.ssh import Connection
from slipway.settings import SlipwayError

R = TypeVar("R", bound=Reply)

PROGRAM = "/usr/local/bin/slipway-agent"
_NOT_FOUND = (126, 127)
_LAST_LINES = 20
_MOST_LOG_LINES, _LONGEST = 200, 4_000
"""What is kept of the log, and of each text, in an agent's error."""
_QUEUED_LINES = 10_000


class AgentError(SlipwayError):
    """The agent refused or failed. `code` is for programs; `log` holds the app's last lines, not redacted."""

    def __init__(
        self,
        host: str,
        code: str,
        message: str,
        *,
        log: Sequence[str] = (),
        detail: Mapping[str, object] | None = None,
        remedy: str = "",
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.host, self.code = host, code
        self.log = list(log)
        self.detail = dict(detail or {})
        """Further fields of the error: `needs` and `has` of a full disk, `newest` of a fence, …"""


class Call:
    """Calls the agent of one host over its connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __call__(
        self,
        command: str,
        request: Mapping[str, object],
        reply: type[R],
        *,
        seconds: float,
        on_progress: Lines | None = None,
    ) -> R:
        """Run `command` without the keys that are None.

        Raises AgentError if the agent answers with an error.
        """
        done = self._connection.run(
            [PROGRAM, command], _encode(request), timeout=seconds, on_stderr=on_progress
        )
        answer = self._answer(command, done)
        try:
            return reply.model_validate(answer)
        except ValidationError as error:
            places = ", ".join(".".join(map(str, found["loc"])) for found in error.errors())
            raise self._no_agent(
                f"answered `{command}` in a form this slipway does not know: {places}"
            ) from None

    def text(self, command: str, request: Mapping[str, object], *, seconds: float) -> list[str]:
        """Run a command whose answer is plain lines."""
        done = self._connection.run([PROGRAM, command], _encode(request), timeout=seconds)
        if done.code == 1 and not done.stdout:
            return []  # journalctl found no matching line
        if done.code != 0:
            self._answer(command, done)
        return done.stdout.splitlines()

    def follow(self, command: str, request: Mapping[str, object]) -> Iterator[str]:
        """The lines of a command that does not end by itself, until the iterator is closed."""
        lines: queue.Queue[str | SlipwayError | None] = queue.Queue(_QUEUED_LINES)

        def listen() -> None:
            try:
                done = self._connection.run(
                    [PROGRAM, command], _encode(request), timeout=None, on_stdout=lines.put
                )
                if done.code != 0:
                    self._answer(command, done)
                lines.put(None)
            except SlipwayError as error:
                lines.put(error)

        threading.Thread(target=listen, name=f"{self._connection.host}-{command}", daemon=True).start()
        try:
            while (line := lines.get()) is not None:
                if isinstance(line, SlipwayError):
                    raise line
                yield line
        finally:
            self._connection.abort()

    def _answer(self, command: str, done: Completed) -> dict[str, Any]:
        last = done.stdout.rstrip("\n").rpartition("\n")[2]
        try:
            answer: dict[str, Any] = json.loads(last)
            if answer["ok"]:
                return answer
            error: dict[str, Any] = {**answer["error"]}
        except (ValueError, KeyError, TypeError, RecursionError):
            if done.code in _NOT_FOUND:
                raise self._no_agent("has no working slipway-agent") from None
            last_lines = done.stderr.splitlines()[-_LAST_LINES:]
            raise self._no_agent(f"broke off at `{command}` (exit code {done.code})", last_lines) from None
        log: list[object] = error.pop("log", None) or []
        raise AgentError(
            self._connection.host,
            str(error.pop("code", "unknown")),
            str(error.pop("message", ""))[:_LONGEST] or f"`{command}` failed",
            log=[str(line)[:_LONGEST] for line in log[-_MOST_LOG_LINES:]],
            detail=error,
        )

    def _no_agent(self, what: str, log: list[str] | None = None) -> AgentError:
        return AgentError(
            self._connection.host,
            "no_agent",
            f"the agent of {self._connection.host} {what}",
            log=log or [],
            remedy="`slipway up` installs the agent that belongs to this slipway",
        )


def _encode(request: Mapping[str, object]) -> bytes:
    return json.dumps({key: value for key, value in request.items() if value is not None}).encode()

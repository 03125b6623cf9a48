"""How a command fails: a code for the pipeline, a sentence for a person, the app's last log lines."""

from __future__ import annotations


class AgentError(Exception):
    """Answered as `{"ok": false, "error": {"code", "message", "log", **detail}}`."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        log: list[str] | None = None,
        detail: dict[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.log = log or []
        self.detail = detail or {}

    def brief(self) -> dict[str, object]:
        """The part that may be stored in state.json: without the app's log lines."""
        return {"code": self.code, "message": self.message}

    def to_json(self) -> dict[str, object]:
        """The `error` part of the answer."""
        return {"code": self.code, "message": self.message, "log": self.log, **self.detail}


class Interrupted(BaseException):
    """SIGTERM or SIGINT arrived. Not an Exception: only a command's clean-up may catch it."""

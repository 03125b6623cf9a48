"""Errors that checks did not expect, in plain words: no class names, no tracebacks. Pure."""

from __future__ import annotations

import re
import ssl

import httpx
import psycopg
import redis
import websocket

_UNEXPECTED = re.compile(
    r"^Unexpected exit code (\d+) for CommandResult\(.*?command=b(['\"])(.*?)\2[,)]", re.S
)
_STDERR = re.compile(r"_?stderr=b?(['\"])(.*?)\1[,)]", re.S)
_NOT_RAISED = re.compile(r"^DID NOT RAISE\b")
LONGEST = 160
"""Characters of a command, or of an error's own text, that a reason shows."""


def in_words(error: BaseException | None) -> str:
    """What `error` says, as a person would say it, in one line."""
    match error:
        case None:
            found = "no reason is known"
        case httpx.TimeoutException() | TimeoutError() | redis.TimeoutError():
            found = "no answer came in time"
        case httpx.ConnectError() | httpx.ConnectTimeout() if "CERTIFICATE_VERIFY_FAILED" in str(error):
            found = "its certificate is not trusted"
        case httpx.ConnectError() | ConnectionRefusedError():
            found = "it accepts no connection"
        case httpx.RemoteProtocolError() | httpx.ReadError() | ConnectionResetError() | BrokenPipeError():
            found = "the connection was closed without an answer"
        case websocket.WebSocketBadStatusException():
            found = f"the WebSocket handshake is answered with {error.status_code}"
        case httpx.TransportError():
            found = f"the request could not be sent: {_short(error)}"
        case ssl.SSLCertVerificationError():
            found = f"its certificate is not trusted: {error.verify_message}"
        case ssl.SSLError():
            found = f"no TLS connection could be made: {_short(error)}"
        case psycopg.Error() | redis.RedisError():
            found = _short(error)
        case RuntimeError() if host := unreachable_host(error):
            found = f"{host} cannot be reached by ssh"
        case _:
            found = f"the check itself ended with {type(error).__name__}: {_short(error)}".rstrip(": ")
    return found


def unreachable_host(error: BaseException | None) -> str:
    """The host that testinfra's ssh backend could not reach, if `error` says so; else empty."""
    result = error.args[0] if isinstance(error, RuntimeError) and error.args else None
    backend = getattr(result, "backend", getattr(result, "_backend", None))
    return str(backend.get_hostname()) if getattr(result, "rc", 0) == 255 and backend is not None else ""


def plain(message: str) -> str:
    """The message of an assertion or `pytest.fail`, without what pytest and testinfra add to it."""
    if _NOT_RAISED.match(message):
        return "it was accepted, and should have been refused"
    if found := _UNEXPECTED.match(message):
        stderr = _STDERR.search(message)
        lines = stderr[2].strip().removesuffix("\\n").split("\\n") if stderr else [""]
        if "b64decode" in found[3]:
            # A program of checks/kit/on_host.py; the end of its traceback says why.
            last = lines[-1].replace("\\'", "'")
            return f"what is on the host could not be read: {last[:LONGEST]}"
        said = " ".join(lines).strip()
        return f"`{found[3][:LONGEST]}` ended with {found[1]}{f': {said[:LONGEST]}' if said else ''}"
    return message


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:LONGEST]

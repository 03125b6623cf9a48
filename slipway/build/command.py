"""One command of a build: what it can see, its output streamed and kept, its time limited."""

import contextlib
import os
import re
import selectors
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

from slipway.build.sandbox import sandboxed
from slipway.settings import App, ReleaseFailed, Stack

TAIL_LINES = 30
SILENT_SECONDS = 60.0
"""A command that writes nothing for so long is reported as still running: it may wait for the network."""
GRACE_SECONDS = 5
"""Time from SIGTERM to SIGKILL for a command that exceeds its limit."""


class BuildFailed(ReleaseFailed):
    """A command of the build failed or took too long; `details` are its last lines. Nothing was shipped."""


def run_command(
    title: str,
    command: str,
    *,
    directory: Path,
    env: Mapping[str, str],
    timeout: float,
    caches: Path | None,
    redact: Callable[[str], str] = str,
    line: Callable[[str], None] = lambda _: None,
) -> float:
    """Run `command` by /bin/sh in `directory` and return its seconds; `line` gets its output, redacted.

    `title` names it in errors (`build.command`). `caches`: the folder that the sandbox keeps between builds;
    None: no sandbox. Raises BuildFailed when it exits with another status than 0 or runs longer than
    `timeout` seconds. The command runs in its own process group, which is always ended, also on Ctrl-C.
    """
    argv, env = ["/bin/sh", "-c", command], dict(env)
    if caches is not None:
        argv, env = sandboxed(argv, env, directory=directory, caches=caches)
    started = time.monotonic()
    tail: deque[str] = deque(maxlen=TAIL_LINES)

    def keep(raw: bytes) -> None:
        text = redact(raw.decode("utf-8", "replace").rstrip())
        tail.append(text)
        if text:
            line(text)

    def silent() -> None:
        last = next((text for text in reversed(tail) if text), "")
        said = f"last line: {last}" if last else "nothing was written yet"
        line(f"{title} still runs after {time.monotonic() - started:.0f} s; {said}")

    process = subprocess.Popen(
        argv,
        cwd=directory,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        in_time = _stream(process, keep, started + timeout, silent)
        if not in_time:
            _end_group(process, gently=True)
    finally:
        _end_group(process, gently=False)
        if process.stdout:
            process.stdout.close()
    seconds = time.monotonic() - started
    if not in_time:
        raise BuildFailed(
            f"{title} took longer than {timeout:g} s: {redact(command)}",
            remedy="raise build.timeout_seconds in slipway.toml if it needs the time",
            details=list(tail),
        )
    if process.returncode != 0:
        raise BuildFailed(
            f"{title} failed ({_status(process.returncode)}): {redact(command)}", details=list(tail)
        )
    return seconds


def _stream(
    process: subprocess.Popen[bytes],
    keep: Callable[[bytes], None],
    deadline: float,
    silent: Callable[[], None],
) -> bool:
    """Pass on lines until the command ends (True) or the deadline passes (False).

    `silent` is called whenever nothing was written for SILENT_SECONDS.

    A child that outlives the command may keep the pipe open, so the command's end counts, not the pipe's.
    """
    assert process.stdout is not None
    pipe = process.stdout.fileno()
    os.set_blocking(pipe, False)
    rest, heard = b"", time.monotonic()
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while True:
            ended = process.poll() is not None
            if ended:
                deadline = min(deadline, time.monotonic() + 1)
            if time.monotonic() >= deadline:
                if not ended:
                    return False
                break
            if not selector.select(0 if ended else 0.2):
                if ended:
                    break
                if time.monotonic() - heard >= SILENT_SECONDS:
                    heard = time.monotonic()
                    silent()
                continue
            heard = time.monotonic()
            chunk = os.read(pipe, 1 << 16)
            if not chunk:
                break
            *lines, rest = (rest + chunk).split(b"\n")
            for text in lines:
                keep(text)
    if rest:
        keep(rest)
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return False
    return True


def _end_group(process: subprocess.Popen[bytes], *, gently: bool) -> None:
    """End the command's whole group: by SIGTERM and a grace, or at once."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM if gently else signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_SECONDS if gently else None)


def _status(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit {code}"


EPOCH = 946_684_800
"""2000-01-01: SOURCE_DATE_EPOCH of every build, and the time of files in the deps and runtime layers."""

PASSED_ON = re.compile(
    r"""(?xi) ^(?:
      PATH | HOME | TMPDIR | XDG_CACHE_HOME | XDG_CONFIG_HOME
    | https?_proxy | no_proxy | all_proxy
    | SSL_CERT_FILE | SSL_CERT_DIR | NODE_EXTRA_CA_CERTS | REQUESTS_CA_BUNDLE | CURL_CA_BUNDLE
    | npm_config_(?:registry|userconfig|cafile|cache) | BUN_CONFIG_REGISTRY | BUN_INSTALL_CACHE_DIR
    | UV_(?:INDEX|DEFAULT_INDEX|INDEX_URL|EXTRA_INDEX_URL|FIND_LINKS)
    | UV_(?:CACHE_DIR|NATIVE_TLS|SYSTEM_CERTS|HTTP_TIMEOUT)
    | UV_PYTHON_INSTALL_MIRROR | PIP_(?:INDEX_URL|EXTRA_INDEX_URL|CERT|FIND_LINKS)
    | GOPROXY | GOFLAGS | GOCACHE | GOMODCACHE | CARGO_HOME | RUSTUP_HOME
    )$"""
)
"""Variables of the operator that are passed on: where tools are, how package registries are reached."""


def build_env(runtime_bin: Path | None, public: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a build command: the registries are within reach, no secret is (P8).

    The pinned runtime comes first on PATH.

    `public` are values that browsers may see (`client = true` in the env contract).
    """
    env = {name: value for name, value in os.environ.items() if PASSED_ON.match(name)}
    path = env.get("PATH", "/usr/local/bin:/usr/bin:/bin")
    env |= {
        "PATH": f"{runtime_bin}:{path}" if runtime_bin else path,
        "LANG": "C.UTF-8",
        "CI": "1",
        "SOURCE_DATE_EPOCH": str(EPOCH),
        "UV_VENV_RELOCATABLE": "1",
        "UV_LINK_MODE": "copy",
        "UV_PYTHON_DOWNLOADS": "never",
    }
    if runtime_bin and (runtime_bin / "python3").exists():
        env["UV_PYTHON"] = str(runtime_bin / "python3")
    return env | dict(public)


def client_env(app: App, stack: Stack) -> dict[str, str]:
    """The env contract's plain values that are compiled into what browsers load, as this stack has them."""
    return {
        name: stack.env.get(name, variable.value)
        for name, variable in app.env.items()
        if variable.client and variable.value is not None
    }

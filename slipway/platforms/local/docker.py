"""The docker command line, typed: what the local fleet asks of it, and its failures in words."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from slipway.settings import SlipwayError

TIMEOUT = 120.0
"""Seconds for a command that only talks to the daemon."""


class DockerError(SlipwayError):
    """docker refused; `stderr` is what it said."""

    def __init__(self, argv: Sequence[str], stderr: str) -> None:
        words = " ".join(argv[:2])
        super().__init__(
            f"docker {words} failed: {_last_line(stderr)}", details=stderr.strip().splitlines()[-8:]
        )
        self.stderr = stderr


@dataclass(frozen=True)
class Docker:
    """A docker command whose daemon answers (`daemon.ensure_daemon` gives one)."""

    binary: str = "docker"

    def run(
        self, *argv: str, stdin: bytes | None = None, timeout: float = TIMEOUT, check: bool = True
    ) -> subprocess.CompletedProcess[bytes]:
        """Run `docker argv…`; DockerError if it fails (unless `check` is off) or takes longer."""
        try:
            done = subprocess.run(
                [self.binary, *argv],
                check=False,
                input=stdin,
                capture_output=True,
                timeout=timeout,
                start_new_session=True,  # Ctrl-C is ours: a client that it ends leaves the daemon at work
            )
        except subprocess.TimeoutExpired as late:
            raise DockerError(argv, f"no answer within {timeout:.0f} s") from late
        if check and done.returncode != 0:
            raise DockerError(argv, (done.stderr or done.stdout).decode(errors="replace"))
        return done

    def text(self, *argv: str) -> str:
        """What `docker argv…` prints, without the last newline."""
        return self.run(*argv).stdout.decode(errors="replace").strip()

    def inspect(self, kind: str, *names: str) -> list[dict[str, Any]]:
        """`docker <kind> inspect` of those of `names` that exist, in order; kind: container, image, …"""
        if not names:
            return []
        done = self.run(kind, "inspect", *names, check=False)
        missing = done.stderr.decode(errors="replace")
        if done.returncode != 0 and "no such" not in missing.lower() and "not found" not in missing.lower():
            raise DockerError((kind, "inspect", *names), missing)
        return cast(list[dict[str, Any]], json.loads(done.stdout or b"[]"))

    def problem(self) -> str | None:
        """None if the daemon answers, else the client's message."""
        done = self.run("version", "--format", "{{.Server.Version}}", check=False, timeout=20)
        if done.returncode == 0:
            return None
        return done.stderr.decode(errors="replace").strip() or "no message"

    def image_id(self, tag: str) -> str | None:
        """The id of a local image, None if there is none."""
        found = self.inspect("image", tag)
        return str(found[0]["Id"]) if found else None

    def execute(self, container: str, script: str, *, stdin: bytes | None = None, timeout: float = 60) -> str:
        """Run a sh script inside a running container and return what it prints."""
        done = self.run("exec", "-i", container, "sh", "-euc", script, stdin=stdin or b"", timeout=timeout)
        return done.stdout.decode(errors="replace")


def find_docker() -> str | None:
    """The docker command on PATH, if any."""
    return shutil.which("docker")


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return lines[-1] if lines else "no message"

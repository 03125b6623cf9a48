"""Runs the command line as a user does, in the project's folder, and reads what it printed."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> str:
        error = self.json["error"]
        return "\n".join([error["message"], *error["details"], error["remedy"]])


def slipway(
    root: Path, *args: str, stdin: str = "", timeout: float = 300, env: dict[str, str] | None = None
) -> Ran:
    done = subprocess.run(
        [sys.executable, "-m", "slipway", *args],
        cwd=root,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env=_a_persons() | (env or {}),
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def start(root: Path, *args: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "slipway", *args],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=_a_persons() | (env or {}),
    )


def _a_persons() -> dict[str, str]:
    """A person's environment, also where CI runs the tests: an automatic release may be refused."""
    return os.environ | {"SLIPWAY_STACK": "local", "CI": ""}

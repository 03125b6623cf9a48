"""Terraform and its AWS provider as they are on this machine: nothing is downloaded."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.infra.emulator.plan import Plan, planned
from tests.infra.emulator.state import State

_PROVIDER = Path("registry.terraform.io") / "hashicorp" / "aws"
_USUAL_MIRRORS = (
    "~/.terraform.d/plugins",
    "~/.local/share/terraform/plugins",
    "/usr/local/share/terraform/plugins",
    "/usr/share/terraform/plugins",
)
_LINES_OF_AN_ERROR = 4
PLAN_SECONDS = 240


class TerraformFailed(AssertionError):
    """Terraform's errors, one a line, each with the resource it is about."""


@dataclass(frozen=True)
class Tools:
    """What this machine has."""

    program: str
    mirror: Path
    """Folder with `registry.terraform.io/hashicorp/aws/<version>/`."""
    version: str
    """Of the provider."""


def find() -> Tools | str:
    """The tools, or why there are none."""
    program = shutil.which("terraform")
    if not program:
        return "no terraform on PATH"
    found = [(_version(each), mirror) for mirror in _mirrors() for each in (mirror / _PROVIDER).glob("*.*.*")]
    if not found:
        return "no mirror folder with terraform's provider hashicorp/aws on this machine"
    newest, mirror = max(found)
    return Tools(program, mirror, ".".join(map(str, newest)))


class Workspace:
    """A folder with a configuration and its state."""

    def __init__(self, tools: Tools, folder: Path) -> None:
        self._tools, self.folder = tools, folder
        folder.mkdir(parents=True, exist_ok=True)
        settings = f'filesystem_mirror {{ path = "{tools.mirror}" }}'
        (folder / "cli.tfrc").write_text(
            f"disable_checkpoint = true\nprovider_installation {{ {settings} }}\n"
        )

    def write(self, configuration: dict[str, Any]) -> None:
        """Replace the configuration and fetch the provider from the mirror."""
        (self.folder / "main.tf.json").write_text(json.dumps(configuration, indent=1))
        done = self._run("init", "-input=false", "-no-color")
        if done.returncode:
            raise TerraformFailed(done.stdout + done.stderr)

    def schema(self) -> dict[str, Any]:
        """Schemas of the provider's resources, by type."""
        said = json.loads(self._run("providers", "schema", "-json").stdout)
        return said["provider_schemas"][_PROVIDER.as_posix()]["resource_schemas"]

    def apply(self, seconds: float) -> None:
        """Make everything; TerraformFailed if it takes longer, or for what could not be made."""
        self._streamed("apply", "-auto-approve", "-parallelism=30", seconds=seconds)

    def plan(self) -> Plan:
        """What would be done now."""
        self._streamed("plan", "-out=plan", "-parallelism=30", seconds=PLAN_SECONDS)
        return planned(json.loads(self._run("show", "-json", "plan").stdout))

    def state(self) -> State:
        """What was made. Read from the file: each of Terraform's commands takes seconds to start."""
        return State.read(self.folder / "terraform.tfstate")

    def _streamed(self, command: str, *options: str, seconds: float) -> None:
        try:
            done = self._run(command, "-json", "-input=false", *options, seconds=seconds)
        except subprocess.TimeoutExpired as late:
            unfinished = "".join(f"\n    {each}" for each in _unfinished(_lines(late.stdout or b"")))
            raise TerraformFailed(
                f"terraform {command} took more than {seconds:.0f} s; unfinished:{unfinished}"
            ) from None
        errors = [each["diagnostic"] for each in _lines(done.stdout) if each.get("@level") == "error"]
        _raise_for(errors)
        if done.returncode:
            raise TerraformFailed(f"terraform {command} ended with {done.returncode}: {done.stderr}")

    def _run(self, *command: str, seconds: float = 120) -> subprocess.CompletedProcess[str]:
        kept = {key: os.environ[key] for key in ("PATH", "LANG", "TMPDIR") if key in os.environ}
        own = {
            "HOME": str(self.folder),
            "TF_CLI_CONFIG_FILE": str(self.folder / "cli.tfrc"),
            "TF_IN_AUTOMATION": "1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        with subprocess.Popen(
            [self._tools.program, *command],
            cwd=self.folder,
            env={**kept, **own},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                out, err = process.communicate(timeout=seconds)
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)  # the provider too, which is a process of its own
                raise
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def _mirrors() -> Iterator[Path]:
    settings = Path(os.environ.get("TF_CLI_CONFIG_FILE", "") or "~/.terraformrc").expanduser()
    if settings.is_file():
        for block in re.findall(r"filesystem_mirror\s*\{[^}]*\}", settings.read_text(encoding="utf-8")):
            yield from (Path(each).expanduser() for each in re.findall(r'path\s*=\s*"([^"]+)"', block))
    yield from (Path(each).expanduser() for each in _USUAL_MIRRORS)
    yield from Path("/opt").glob("*/")


def _version(folder: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", folder.name)[:3])


def _lines(stream: str | bytes) -> list[dict[str, Any]]:
    """Terraform's machine-readable messages; a cut-off last line is left out."""
    text = stream.decode(errors="replace") if isinstance(stream, bytes) else stream
    found: list[dict[str, Any]] = []
    for line in text.splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def _unfinished(messages: Sequence[dict[str, Any]]) -> list[str]:
    begun: dict[str, None] = {}
    for each in messages:
        address = each.get("hook", {}).get("resource", {}).get("addr", "")
        if each.get("type") == "apply_start":
            begun[address] = None
        elif each.get("type") in ("apply_complete", "apply_errored"):
            begun.pop(address, None)
    return list(begun)


def _raise_for(errors: Sequence[dict[str, Any]]) -> None:
    if errors:
        raise TerraformFailed("\n".join(dict.fromkeys(map(_readable, errors))))


def _readable(error: dict[str, Any]) -> str:
    snippet: dict[str, Any] = error.get("snippet") or {}
    where = error.get("address") or snippet.get("context") or "terraform"
    details = [line.strip() for line in error.get("detail", "").splitlines() if line.strip()]
    return f"{where}: " + "\n    ".join([error["summary"], *details[:_LINES_OF_AN_ERROR]])

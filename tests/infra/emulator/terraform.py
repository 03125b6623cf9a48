"""Terraform and its AWS provider as they are on this machine: nothing is downloaded."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PROVIDER = Path("registry.terraform.io") / "hashicorp" / "aws"
_USUAL_MIRRORS = (
    "~/.terraform.d/plugins",
    "~/.local/share/terraform/plugins",
    "/usr/local/share/terraform/plugins",
    "/usr/share/terraform/plugins",
)
_LINES_OF_AN_ERROR = 4


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

    def validate(self) -> None:
        """Raise TerraformFailed unless the configuration alone is right."""
        said = json.loads(self._run("validate", "-json").stdout)
        _raise_for([each for each in said["diagnostics"] if each["severity"] == "error"])

    def apply(self, seconds: float) -> None:
        """Make everything; TerraformFailed if it takes longer, or for what could not be made."""
        self._streamed("apply", "-auto-approve", "-parallelism=30", seconds=seconds)

    def plan(self) -> list[str]:
        """What would be done now: `update aws_lb.edge (idle_timeout)`; nothing if all is as it shall be."""
        self._streamed("plan", "-out=plan", "-parallelism=30", seconds=200)
        plan = json.loads(self._run("show", "-json", "plan").stdout)
        return sorted(_told(each) for each in plan.get("resource_changes", []) if _changes(each))

    def outputs(self) -> dict[str, Any]:
        """Values of the outputs, by name."""
        said = json.loads(self._run("output", "-json").stdout)
        return {name: each["value"] for name, each in said.items()}

    def state(self) -> list[dict[str, Any]]:
        """What was made: `type`, `name`, `values` of each resource."""
        return json.loads(self._run("show", "-json").stdout)["values"]["root_module"].get("resources", [])

    def _streamed(self, command: str, *options: str, seconds: float) -> None:
        try:
            done = self._run(command, "-json", "-input=false", *options, seconds=seconds)
        except subprocess.TimeoutExpired as late:
            raise TerraformFailed(
                f"terraform {command} took more than {seconds:.0f} s; unfinished:\n"
                + "\n".join(_unfinished(_lines(late.stdout or b"")))
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
        return subprocess.run(
            [self._tools.program, *command],
            cwd=self.folder,
            env={**kept, **own},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )


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
    where = error.get("address") or (error.get("snippet") or {}).get("context") or "terraform"
    details = [line.strip() for line in error.get("detail", "").splitlines() if line.strip()]
    return f"{where}: " + "\n    ".join([error["summary"], *details[:_LINES_OF_AN_ERROR]])


def _changes(change: dict[str, Any]) -> bool:
    return change["mode"] == "managed" and change["change"]["actions"] != ["no-op"]


def _told(change: dict[str, Any]) -> str:
    before, after = change["change"].get("before") or {}, change["change"].get("after") or {}
    unknown = change["change"].get("after_unknown") or {}
    changed = sorted(
        key for key in {*before, *after, *unknown} if before.get(key) != after.get(key) or unknown.get(key)
    )
    actions = "+".join(change["change"]["actions"])
    return f"{actions} {change['address']}" + (f" ({', '.join(changed)})" if before else "")

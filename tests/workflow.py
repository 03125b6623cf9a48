"""Runs a workflow's jobs on this machine as GitHub's runner does: conditions, outputs, and every `run:` step.

A function stands in for each action that `uses:` names, tests/standin_gh.py for `gh` and GitHub, and scripts
that change nothing here for `sudo` and `uv`. The rest is real: bash, jq, and the `slipway` that is given.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml

FOLDER = Path(__file__).parents[1] / ".github" / "workflows"
SLIPWAY = Path(sys.executable).with_name("slipway")
GH = Path(__file__).with_name("standin_gh.py")
TOKEN = re.compile(r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<op>==|!=|&&|\|\||[!(),])|(?P<name>[\w.*-]+))")
CHANGE_NOTHING_HERE = (
    *("astral-sh/setup-uv", "pulumi/actions"),
    *("aws-actions/configure-aws-credentials", "actions/attest"),
)
STATUS = re.compile(r"\b(always|success|failure|cancelled)\(\)")

Status = str
"""`success`, `failure`, `cancelled` or `skipped`."""


class Expression:
    """GitHub's expressions, as far as workflows here use them: names, texts, `== != && || !`, functions."""

    def __init__(self, text: str, contexts: Mapping[str, Any], status: Status) -> None:
        self.tokens: list[tuple[str, str]] = []
        end = 0
        while text[end:].strip():
            found = TOKEN.match(text, end)
            assert found, f"not understood: {text[end:]!r}"
            self.tokens.append((cast("str", found.lastgroup), found.group(found.lastgroup or "").strip()))
            end = found.end()
        self.contexts, self.status = contexts, status

    def value(self) -> Any:
        found = self._either()
        assert not self.tokens, f"not understood: {self.tokens}"
        return found

    def _next(self, *wanted: str) -> bool:
        if self.tokens and self.tokens[0][0] == "op" and self.tokens[0][1] in wanted:
            self.tokens.pop(0)
            return True
        return False

    def _either(self) -> Any:
        found = self._both()
        while self._next("||"):
            other = self._both()
            found = found or other
        return found

    def _both(self) -> Any:
        found = self._equal()
        while self._next("&&"):
            other = self._equal()
            found = found and other
        return found

    def _equal(self) -> Any:
        found = self._one()
        if self._next("=="):
            return (found or "") == (self._one() or "")
        if self._next("!="):
            return (found or "") != (self._one() or "")
        return found

    def _one(self) -> Any:
        if self._next("!"):
            return not self._one()
        if self._next("("):
            found = self._either()
            assert self._next(")")
            return found
        kind, word = self.tokens.pop(0)
        if kind == "text":
            return word[1:-1].replace("''", "'")
        if self._next("("):
            assert self._next(")")
            return word == "always" or word == self.status
        return self._named(word)

    def _named(self, word: str) -> Any:
        first, *parts = word.split(".")
        found: Any = self.contexts[first]
        for part in parts:
            found = cast("Mapping[str, Any]", found).get(part) if isinstance(found, Mapping) else None
        return found


@dataclass
class Done:
    """A job that has ended."""

    result: Status
    outputs: dict[str, str] = field(default_factory=dict[str, str])
    steps: dict[str, Status] = field(default_factory=dict[str, Status])
    """By name, or by the action's: how each step ended."""
    log: str = ""


Action = Callable[[Mapping[str, str]], None]


@dataclass
class Runner:
    """One repository on GitHub with a runner. `root` is the checkout of jobs; `place` holds the rest."""

    root: Path
    place: Path
    variables: dict[str, str] = field(default_factory=dict[str, str])
    secrets: dict[str, str] = field(default_factory=dict[str, str])
    env: dict[str, str] = field(default_factory=dict[str, str])
    """What the runner's own machine has in its environment."""
    slipway: Path = SLIPWAY
    repository: str = "acme/board"
    cancel_at: str = ""
    """Kill the step that prints this, as a runner does with a job that a person cancels."""
    checkout: Callable[[str], Path] | None = None
    """The folder of what a job checks out, by its `ref`."""

    def __post_init__(self) -> None:
        self.artifacts = self.place / "artifacts"
        self.bin, self.home, self.temp = self.place / "bin", self.place / "home", self.place / "temp"
        for folder in (self.artifacts, self.bin, self.home, self.temp):
            folder.mkdir(parents=True, exist_ok=True)
        self._program("sudo", "#!/bin/sh\nexit 0\n")
        install = f'mkdir -p ~/.local/bin && ln -sf "{self.slipway}" ~/.local/bin/slipway'
        self._program(
            "uv", f'#!/bin/sh\ncase $1 in\nrun) shift 2; exec "$@" ;;\ntool) {install} ;;\nsync) ;;\nesac\n'
        )
        self._program("gh", f'#!/bin/sh\nexec "{sys.executable}" "{GH}" "{self.place}/github.json" "$@"\n')
        (self.place / "github.json").write_text(
            json.dumps({"pulls": [], "comments": [], "artifacts": {}, "calls": []})
        )

    def _program(self, name: str, text: str) -> None:
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    @property
    def github(self) -> dict[str, Any]:
        """What GitHub has: pull requests, comments, artifacts of runs, and the calls it got."""
        return json.loads((self.place / "github.json").read_text())

    def on_github(self, **changed: Any) -> None:
        (self.place / "github.json").write_text(json.dumps(self.github | changed))

    def run(
        self, workflow: str, event_name: str, event: Mapping[str, Any] | None = None, **inputs: object
    ) -> dict[str, Done]:
        """Run the jobs of a workflow, each after those that it needs; `inputs` as a person gives them."""
        content: dict[Any, Any] = yaml.safe_load((FOLDER / workflow).read_text())
        assert event_name in content[True], (
            f"{workflow} does not run on {event_name}"
        )  # YAML reads `on` as true
        github: dict[str, Any] = {
            "event_name": event_name,
            "event": {"repository": {"default_branch": "main"}, **(event or {})},
            "repository": self.repository,
            "repository_owner": self.repository.partition("/")[0],
            "server_url": "https://github.test",
            "run_id": "1",
            "token": "token-of-the-job",
        }
        done: dict[str, Done] = {}
        for name, job in content["jobs"].items():
            needs = [job["needs"]] if isinstance(job.get("needs"), str) else job.get("needs", [])
            status = "success" if all(done[each].result == "success" for each in needs) else "failure"
            contexts = {
                "github": github,
                "inputs": inputs,
                "vars": self.variables,
                "secrets": self.secrets,
                "needs": {each: vars(done[each]) for each in needs},
                "runner": {"temp": str(self.temp)},
            }
            if not self._holds(job.get("if", "success()"), contexts, status):
                done[name] = Done("skipped")
                continue
            secret = "environment" in job or "secrets." not in str(job)
            assert secret, f"{workflow}: {name} reads secrets without an environment"
            done[name] = self._job(job, contexts)
        return done

    def _holds(self, condition: str, contexts: Mapping[str, Any], status: Status) -> bool:
        condition = str(condition).removeprefix("${{").removesuffix("}}")
        if not STATUS.search(condition) and status != "success":
            return False
        return bool(Expression(condition, contexts, status).value())

    def _filled(self, text: object, contexts: Mapping[str, Any], status: Status) -> str:
        def value(match: re.Match[str]) -> str:
            found = Expression(match[1], contexts, status).value()
            return "" if found is None else str(found)

        return re.sub(r"\$\{\{(.*?)\}\}", value, str(text))

    def _job(self, job: Mapping[str, Any], contexts: dict[str, Any]) -> Done:
        done, steps, where = Done("success"), cast("dict[str, Any]", {}), self.root
        contexts = {**contexts, "steps": steps}
        for folder in (self.home, self.temp):  # a fresh runner
            shutil.rmtree(folder)
            folder.mkdir()
        for step in job["steps"]:
            action = step.get("uses", "").partition("@")[0]
            name = step.get("name", action)
            outputs: dict[str, str] = {}
            outcome = "skipped"
            if self._holds(step.get("if", "success()"), contexts, done.result):
                given = {
                    key: self._filled(value, contexts, done.result)
                    for key, value in step.get("with", {}).items()
                }
                env = {
                    key: self._filled(value, contexts, done.result)
                    for key, value in (job.get("env", {}) | step.get("env", {})).items()
                }
                if "run" in step:
                    outcome, outputs, said = self._run(step, env, where)
                    done.log += said
                elif action == "actions/checkout":
                    outcome = "success"
                    checked_out = self.checkout(given.get("ref", "")) if self.checkout else self.root
                    if beside := given.get("path"):
                        shutil.copytree(checked_out, where / beside)
                    else:
                        where = checked_out
                else:
                    outcome = self._action(action, given, where)
            steps[step.get("id", "")] = {"outcome": outcome, "outputs": outputs}
            done.steps[name] = outcome
            if outcome in ("failure", "cancelled") and done.result == "success":
                done.result = outcome
        done.outputs = {
            key: self._filled(value, contexts, done.result) for key, value in job.get("outputs", {}).items()
        }
        return done

    def _action(self, name: str, given: Mapping[str, str], where: Path) -> Status:
        if name in CHANGE_NOTHING_HERE:
            return "success"
        if name == "actions/upload-artifact":
            if (where / given["path"]).exists():
                shutil.copytree(where / given["path"], self.artifacts / given["name"], dirs_exist_ok=True)
            return "success"
        assert name == "actions/download-artifact", f"nothing stands in for {name}"
        if not (self.artifacts / given["name"]).exists():
            return "failure"
        shutil.copytree(self.artifacts / given["name"], given["path"], dirs_exist_ok=True)
        return "success"

    def _run(
        self, step: Mapping[str, Any], env: Mapping[str, str], where: Path
    ) -> tuple[Status, dict[str, str], str]:
        """How the script ended, its outputs, and what it printed."""
        script, outputs = self.temp / "step.sh", self.temp / "outputs"
        script.write_text(step["run"])
        outputs.write_text("")
        # https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax, `shell`
        options = ["--noprofile", "--norc", "-eo", "pipefail"] if step.get("shell") == "bash" else ["-e"]
        running = subprocess.Popen(
            ["bash", *options, str(script)],
            cwd=where,
            env={
                "HOME": str(self.home),
                "PATH": os.pathsep.join(
                    [f"{self.home}/.local/bin", str(self.bin), str(SLIPWAY.parent), os.environ["PATH"]]
                ),
                "CI": "true",
                "GITHUB_OUTPUT": str(outputs),
                "RUNNER_TEMP": str(self.temp),
                **self.env,
                **env,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        said, cancelled = "", False
        for line in cast("Any", running.stdout):
            said += line
            if self.cancel_at and self.cancel_at in line:
                self.cancel_at, cancelled = "", True
                os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        pairs = (line.partition("=") for line in outputs.read_text().splitlines())
        status = "cancelled" if cancelled else "failure" if running.returncode else "success"
        return status, {key: value for key, _, value in pairs}, said

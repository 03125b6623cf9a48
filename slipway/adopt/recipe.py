"""The table of recipes: which kind of app a repository holds, and what that kind needs."""

import os
import re
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from slipway.adopt.repository import Repository

TABLE = Path(__file__).with_name("recipes.toml")
SERVERS = {"express", "fastify", "koa", "h3", "@nestjs/core", "hapi", "ws", "socket.io", "@hono/node-server"}
"""Packages that answer requests: with one of them a site built by vite is not static."""


class Recipe(BaseModel):
    """One kind of app; what each key means is said in the table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    title: str
    needs: list[str]
    runtime: Literal["bun", "debian", "deno", "image", "node", "python", "none"]
    apt: list[str] = []
    """Debian packages of the runtime layer."""
    deps: Literal["js", "python", "none"]
    build: str = ""
    include: list[str] = []
    web: str = ""
    migrate: str = ""
    module: str = ""
    ready: str = ""
    health: str = ""
    boot_seconds: int = 30
    stop_signal: str = ""
    websocket: bool = False
    env: dict[str, str] = {}
    files: dict[str, str] = {}
    """Files to write into the repository, with the template of each."""
    wants: list[tuple[str, str, str]] = []
    """File, pattern, and what to do if the file does not have it."""
    wants_python: list[str] = []
    arguments: str = ""
    schedules: str = ""
    tools: list[str] = []
    """Programs that the build needs on this machine."""
    edits: list[str] = []


class Packager(BaseModel):
    """A package manager, known by its lock file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lock: str
    production: str
    install: str = ""
    run: str = ""
    also: list[str] = []
    """Further files that decide what it installs."""


@dataclass(frozen=True)
class Reason:
    """Something that was found, and where."""

    what: str
    why: str


@lru_cache(maxsize=1)
def recipes() -> tuple[Recipe, ...]:
    """Every recipe, in the order in which they are tried."""
    return tuple(Recipe.model_validate(each) for each in _table()["recipes"])


@lru_cache(maxsize=1)
def packagers() -> tuple[Packager, ...]:
    """Every package manager, in the order in which their lock files are looked for."""
    return tuple(Packager.model_validate(each) for each in _table()["packagers"])


def choose(repository: Repository) -> tuple[Recipe, Reason]:
    """The first recipe whose needs the repository meets; the last one has none."""
    for recipe in recipes():
        reasons = [_met(repository, need) for need in recipe.needs]
        if all(reasons):
            why = ", ".join(reasons) or "no file that is known"
            return recipe, Reason(recipe.title, why)
    raise AssertionError("the last recipe needs nothing")


def packager_of(repository: Repository, kind: Literal["js", "python"]) -> Packager | None:
    """The package manager whose lock file is there."""
    python = {"uv.lock", "requirements.txt"}
    mine = [each for each in packagers() if (each.lock in python) == (kind == "python")]
    return next((each for each in mine if repository.has(each.lock)), None)


def uses_bun(repository: Repository) -> str:
    """Why the repository is run by bun; empty if it is not."""
    if lock := repository.first("bun.lock", "bun.lockb"):
        return lock
    if repository.packages and str(repository.packages[0].data.get("packageManager", "")).startswith("bun"):
        return "packageManager in package.json"
    return ""


def _met(repository: Repository, need: str) -> str:
    """What in the repository meets `need`; empty if nothing does."""
    for each in need.split("|"):
        kind, _, name = each.partition(":")
        match kind:
            case "file":
                found = name if repository.has(name) else ""
            case "no":
                servers = SERVERS & set(repository.js)
                found = "" if servers else "no server among the dependencies"
            case "js":
                found = f"{name} in package.json" if name in repository.js else ""
            case "dev":
                named = any(
                    name in (package.data.get("devDependencies") or {}) for package in repository.packages
                )
                found = f"{name} in package.json" if named else ""
            case "py":
                found = f"{name} among the dependencies" if name in repository.python else ""
            case "gem":
                found = f"{name} in Gemfile" if name in repository.gems else ""
            case "crate":
                found = f"{name} in Cargo.toml" if name in repository.crates else ""
            case _:
                found = uses_bun(repository)
        if found:
            return found
    return ""


def version_of(repository: Repository, runtime: str) -> tuple[str, str]:
    """The exact version of `runtime` that the repository names, or ours; and where it stands."""
    wanted: dict[str, tuple[tuple[str, ...], str, str]] = {
        "bun": ((".bun-version",), r"\d+\.\d+\.\d+", "1.4.5"),
        "deno": ((".deno-version", ".dvmrc"), r"\d+\.\d+\.\d+", "2.9.6"),
        "node": ((".nvmrc", ".node-version"), r"\d+\.\d+\.\d+", "24.11.1"),
        "python": ((".python-version",), r"\d+\.\d+(?:\.\d+)?", "3.13"),
    }
    if runtime not in wanted:
        return "", ""
    if runtime == "python" and not repository.first(*wanted[runtime][0]):
        return _python_version(repository, wanted[runtime][2])
    files, pattern, ours = wanted[runtime]
    for file in files:
        if match := re.search(pattern, repository.text(file)):
            return match[0], file
    if repository.packages:
        manager = str(repository.packages[0].data.get("packageManager", ""))
        if match := re.match(rf"{runtime}@({pattern})", manager):
            return match[1], "packageManager in package.json"
    return ours, ""


def _python_version(repository: Repository, ours: str) -> tuple[str, str]:
    """This machine's Python where the app allows it: a standalone one cannot be downloaded everywhere."""
    least = re.search(
        r">=\s*3\.(\d+)", str(repository.table("pyproject.toml", "project").get("requires-python"))
    )
    own = re.search(r"python3\.(\d+)$", os.path.realpath("/usr/bin/python3"))
    if own and int(own[1]) >= (int(least[1]) if least else 0):
        return f"3.{own[1]}", "/usr/bin/python3 of this machine: no file names a version"
    return (f"3.{max(int(least[1]), int(ours[2:]))}", "requires-python") if least else (ours, "")


def _table() -> dict[str, Any]:
    return tomllib.loads(TABLE.read_text(encoding="utf-8"))

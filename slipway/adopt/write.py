"""Writes the files of a draft into the repository. A file that is there is kept as it is."""

import json
import re
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from jinja2 import Environment as Jinja, FileSystemLoader, StrictUndefined

from slipway.adopt.draft import NOT_SHIPPED, Draft
from slipway.adopt.environment import Entry, Keys
from slipway.secrets.contract import env_example
from slipway.settings import SlipwayError, load_app, stack_names

TEMPLATES = Path(__file__).with_name("templates")
IGNORED = (".slipway/", ".env", ".env.*", "!.env.example")
PROD: dict[str, str] = {"servers": "Pulumi.servers.yaml.j2", "aws": "Pulumi.aws.yaml.j2"}
"""Template of prod's settings by platform; a fleet on this machine serves no users."""
OWNER_URL = "DATABASE_MIGRATE_URL"
PREVIEWS = "previews"
"""The stack that every command of `slipway preview` means without --stack."""
ROLES = ("edge", "web", "worker", "data")

Platform = Literal["local", "servers", "aws"]
Action = Literal["written", "kept", "extended"]


@dataclass(frozen=True)
class Written:
    """What happened to one file."""

    file: str
    action: Action


def write(root: Path, drafted: Draft, platform: Platform, *, previews: bool = False) -> list[Written]:
    """Write whatever is not there yet. `.gitignore` gets the lines that it lacks.

    `previews`: also a stack that carries a preview of each pull request, and the workflows that open them.
    """
    done = [_put(root, name, text) for name, text in contents(root, drafted, platform, previews).items()]
    if not any((root / name).exists() for name in (".env.example", ".env.sample", ".env.template")):
        try:
            done.append(_put(root, ".env.example", env_example(load_app(root))))
        except SlipwayError as problem:
            drafted.edits.append(f"slipway.toml: {problem.message}; .env.example was not written")
    return [*done, *_ignore(root)]


def contents(root: Path, drafted: Draft, platform: Platform, previews: bool = False) -> dict[str, str]:
    """Text of each file, by its name."""
    infra = "slipway-infra" if _is_taken(root / "infra") else "infra"
    values = {
        "d": drafted,
        "platform": platform,
        "infra": infra,
        "env": entries(drafted),
        "migrate": _migrate(drafted),
        "not_shipped": NOT_SHIPPED,
        "servers": _servers(drafted),
        "github": _github(root),
    }
    files = {
        "slipway.toml": _render("slipway.toml.j2", values),
        "Pulumi.yaml": _render("Pulumi.yaml.j2", values),
        "Pulumi.local.yaml": _render("Pulumi.local.yaml.j2", values),
        f"{infra}/__main__.py": (TEMPLATES / "infra.py.j2").read_text(),
    }
    if not (root / "checks").is_dir():
        files["checks/conftest.py"] = (TEMPLATES / "conftest.py.j2").read_text()
    if template := PROD.get(platform):
        files["Pulumi.prod.yaml"] = _render(template, values)
        for name in ("release", "rollback"):
            files[f".github/workflows/{name}.yml"] = _render(f"{name}.yml.j2", values)
    carries = _carries_previews(root)
    if previews and not carries:
        carries = PREVIEWS
        files[f"Pulumi.{PREVIEWS}.yaml"] = _render("Pulumi.previews.yaml.j2", values)
    for name in ("preview-build", "preview") if carries else ():
        files[f".github/workflows/{name}.yml"] = _render(f"{name}.yml.j2", {"previews": carries})
    for name, template in drafted.recipe.files.items():
        files[name] = (TEMPLATES / template).read_text()
    return files


def _carries_previews(root: Path) -> str:
    """The stack whose file asks for previews; GitHub's runners reach no fleet of this machine."""
    for name in stack_names(root):
        settings: Any = yaml.safe_load((root / f"Pulumi.{name}.yaml").read_text()) or {}
        config: Any = settings.get("config") or {}
        if config.get("slipway:previews") is True and config.get("slipway:platform") != "local":
            return name
    return ""


def entries(drafted: Draft) -> dict[str, Entry]:
    """`[env]` as it is written: with migrations, credentials reach them too, and the owner's URL is added."""
    found = dict(drafted.env.entries)
    if not drafted.migrate:
        return found
    scope = [*drafted.processes, "task", "cron", "migrate"]
    for name, entry in found.items():
        output = entry.keys.get("from")
        if ("secret" in entry.keys or output) and output not in ("database.url", "database.migrate_url"):
            found[name] = Entry({**entry.keys, "scope": scope}, entry.why)
    if _of(drafted, "database.url") and not _of(drafted, "database.migrate_url"):
        keys: Keys = {"from": "database.migrate_url", "scope": ["migrate"]}
        found[OWNER_URL] = Entry(keys, "migrations run as the database's owner")
    return found


def _of(drafted: Draft, output: str) -> str:
    """The variable that holds an output of the stack; empty if none does."""
    found = drafted.env.entries.items()
    return next((name for name, entry in found if entry.keys.get("from") == output), "")


def _migrate(drafted: Draft) -> str:
    """The command with the owner's URL in place of the app's, unless the source reads a variable for it."""
    name, owner = _of(drafted, "database.url"), _of(drafted, "database.migrate_url")
    if not name or owner in drafted.env.read:
        return drafted.migrate
    command = f'{name}="${owner or OWNER_URL}" {drafted.migrate}'
    return f"sh -c {shlex.quote(command)}" if drafted.runtime == "image" else command


def _servers(drafted: Draft) -> list[tuple[str, str, str]]:
    """Name, role or roles, and ssh address of each server: one for all, or those that another tool names."""
    named = [
        (role if role in ROLES else "worker", address)
        for role, each in drafted.hosts.items()
        for address in each
    ]
    roles = [role for role in ROLES if role != "worker" or drafted.has_workers]
    if not named:
        return [("one", f"[{', '.join(roles)}]", "")]
    wanted = named + [(role, "") for role in roles if role not in {each for each, _ in named}]
    counts: dict[str, int] = {}
    servers: list[tuple[str, str, str]] = []
    for role, address in sorted(wanted, key=lambda each: ROLES.index(each[0])):
        counts[role] = counts.get(role, 0) + 1
        servers.append((f"{role}{counts[role]}", role, f"root@{address}" if address else ""))
    return servers


def _github(root: Path) -> str:
    """`owner/name` of the remote origin, if it is on GitHub."""
    argv = ["git", "-C", str(root), "remote", "get-url", "origin"]
    try:
        url = subprocess.run(argv, capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""
    match = re.search(r"github\.com[:/]([\w.-]+/[\w.-]+?)(?:\.git)?\s*$", url)
    return match[1] if match else ""


def _is_taken(folder: Path) -> bool:
    """Is something else than our own program in there?"""
    return folder.exists() and not (folder / "__main__.py").is_file()


def _render(template: str, values: Mapping[str, object]) -> str:
    # GitHub's own expressions are written in double braces.
    workflow = template.endswith(".yml.j2")
    jinja = Jinja(
        block_start_string="[%" if workflow else "{%",
        block_end_string="%]" if workflow else "%}",
        variable_start_string="[[" if workflow else "{{",
        variable_end_string="]]" if workflow else "}}",
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - no HTML
    )
    jinja.filters["toml"] = lambda value: json.dumps(value, ensure_ascii=False)
    return jinja.get_template(template).render(values)


def _put(root: Path, name: str, text: str) -> Written:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return Written(name, "kept")
    return Written(name, "written")


def _ignore(root: Path) -> list[Written]:
    path = root / ".gitignore"
    text = path.read_text() if path.exists() else ""
    there = {line.strip().rstrip("/") for line in text.splitlines()}
    missing = [line for line in IGNORED if line.rstrip("/") not in there]
    if not missing:
        return [Written(".gitignore", "kept")]
    gap = "" if not text or text.endswith("\n") else "\n"
    path.write_text(f"{text}{gap}" + "".join(f"{line}\n" for line in missing))
    return [Written(".gitignore", "extended" if text else "written")]

"""What another tool was given to run this app: Procfile, compose.yaml, fly.toml, Kamal's deploy.yml."""

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import yaml

from slipway.adopt.repository import Repository
from slipway.settings import BadInput

Table = dict[str, Any]


@dataclass
class Given:
    """What one file of another tool says; what it does not say is empty."""

    file: str
    name: str = ""
    processes: dict[str, str] = field(default_factory=dict[str, str])
    """Command by process; the one that serves requests is `web`."""
    release: str = ""
    """What runs once before a release: migrations."""
    env: dict[str, str] = field(default_factory=dict[str, str])
    secrets: list[str] = field(default_factory=list[str])
    health: str = ""
    domain: str = ""
    hosts: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """Addresses of servers, by role."""
    services: set[str] = field(default_factory=set[str])
    """What runs beside the app: postgres, redis, s3, mysql."""


def read(repository: Repository, kind: str = "") -> list[Given]:
    """What the other tools' files say; of `kind` alone if one is named. BadInput: its file is not there."""
    if kind and kind not in FORMATS:
        raise BadInput(f"--from {kind}: unknown", remedy=f"one of {', '.join(FORMATS)}")
    found: list[Given] = []
    for name, (files, reader) in FORMATS.items():
        file = repository.first(*files)
        if kind == name and not file:
            raise BadInput(f"--from {kind}: there is no {files[0]} in {repository.root}")
        if file and kind in ("", name):
            found.append(reader(repository, file))
    return found


def procfile(repository: Repository, file: str) -> Given:
    given = Given(file)
    for line in repository.text(file).splitlines():
        if match := re.match(r"^([A-Za-z0-9_-]+):\s*(.+?)\s*$", line):
            given.processes[match[1].lower()] = match[2]
    given.release = given.processes.pop("release", "")
    return given


def compose(repository: Repository, file: str) -> Given:
    given = Given(file)
    services = _table(_yaml(repository, file).get("services"))
    for name, value in services.items():
        service = _table(value)
        image = str(service.get("image") or "")
        if kind := _service(image):
            given.services.add(kind)
        if "build" not in service:
            continue
        command = _command(service.get("command"))
        is_web = bool(service.get("ports") or service.get("expose"))
        role = "web" if is_web and "web" not in given.processes else name.lower().replace("_", "-")
        if command or role == "web":
            given.processes[role] = command
        given.env.update(_environment(service.get("environment")))
    given.processes = {name: command for name, command in given.processes.items() if command}
    return given


def fly(repository: Repository, file: str) -> Given:
    data = repository.toml(file)
    given = Given(file, name=str(data.get("app") or ""))
    named = _table(data.get("processes"))
    given.processes = {("web" if name == "app" else name): str(command) for name, command in named.items()}
    given.release = str(_table(data.get("deploy")).get("release_command") or "")
    given.env = {name: str(value) for name, value in _table(data.get("env")).items()}
    for section in (data.get("http_service"), *_list(data.get("services"))):
        for check in _list(_table(section).get("checks") or _table(section).get("http_checks")):
            given.health = given.health or str(_table(check).get("path") or "")
    return given


def kamal(repository: Repository, file: str) -> Given:
    data = _yaml(repository, file)
    given = Given(file, name=str(data.get("service") or ""))
    servers = data.get("servers")
    roles: Mapping[str, Any] = {"web": servers} if isinstance(servers, list) else _table(servers)
    for role, value in roles.items():
        about = _table(value)
        given.hosts[role] = [str(_first(each)) for each in _list(about.get("hosts") if about else value)]
        if about.get("cmd"):
            given.processes[role] = str(about["cmd"])
    env = _table(data.get("env"))
    given.env = _environment(env.get("clear") if "clear" in env or "secret" in env else env)
    given.secrets = [str(_first(each)).partition(":")[0] for each in _list(env.get("secret"))]
    proxy = _table(data.get("proxy"))
    given.health = str(_table(proxy.get("healthcheck")).get("path") or "")
    given.domain = str(proxy.get("host") or _first(_list(proxy.get("hosts"))) or "")
    for accessory in _table(data.get("accessories")).values():
        if kind := _service(str(_table(accessory).get("image") or "")):
            given.services.add(kind)
    return given


FORMATS: dict[str, tuple[tuple[str, ...], Callable[[Repository, str], Given]]] = {
    "procfile": (("Procfile",), procfile),
    "fly": (("fly.toml",), fly),
    "kamal": (("config/deploy.yml", "config/deploy.yaml"), kamal),
    "compose": (("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"), compose),
}
_IMAGES = {
    "postgres": r"postg",
    "redis": r"redis|valkey|dragonfly|keydb",
    "s3": r"minio|versitygw|localstack",
    "mysql": r"mysql|mariadb",
}
"""Services by what the names of their images hold."""


def _service(image: str) -> str:
    return next((kind for kind, pattern in _IMAGES.items() if re.search(pattern, image)), "")


def dockerfile_command(repository: Repository) -> str:
    """The command of the last stage of the Dockerfile, as one line for sh; empty if it has none."""
    text = re.sub(r"\\\n", " ", repository.text("Dockerfile"))
    last: dict[str, str] = {}
    for word, rest in re.findall(r"^\s*(FROM|ENTRYPOINT|CMD)\s+(.+?)\s*$", text, re.M | re.I):
        if word.upper() == "FROM":
            last = {}
            continue
        try:
            listed = yaml.safe_load(rest) if rest.startswith("[") else rest
        except yaml.YAMLError:
            listed = rest
        last[word.upper()] = _command(listed)
    return " ".join(filter(None, (last.get("ENTRYPOINT"), last.get("CMD"))))


def _command(value: object) -> str:
    if isinstance(value, list):
        return shlex.join(str(each) for each in cast("list[object]", value))
    return str(value or "").strip()


def _environment(value: object) -> dict[str, str]:
    """`KEY: value` or `- KEY=value`; what refers to another variable has no value of its own."""
    if isinstance(value, list):
        pairs = [str(each).partition("=") for each in cast("list[object]", value)]
        found = {name: text for name, _, text in pairs}
    else:
        found = {str(name): "" if text is None else str(text) for name, text in _table(value).items()}
    return {name: "" if "${" in text else text for name, text in found.items()}


def _yaml(repository: Repository, file: str) -> Table:
    text = re.sub(r"<%.*?%>", "", repository.text(file))  # Kamal's file is a template of ERB
    try:
        return _table(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise BadInput(f"{file}: not valid YAML: {error}") from None


def _table(value: object) -> Table:
    return {str(k): v for k, v in cast("dict[Any, Any]", value).items()} if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _first(value: object) -> object:
    """The first of a list, or of a mapping's keys; else the value itself."""
    if isinstance(value, (list, dict)):
        return next(iter(cast("list[object]", value)), "")
    return value

"""From a repository to what slipway.toml shall say: kind, dependencies, build, processes, migrations, env."""

import re
import shlex
from dataclasses import dataclass, field, replace
from pathlib import Path

from slipway.adopt.entry import Entries
from slipway.adopt.environment import Environment, environment
from slipway.adopt.formats import Given, dockerfile_command, read
from slipway.adopt.recipe import Packager, Reason, Recipe, choose, packager_of, uses_bun, version_of
from slipway.adopt.repository import Repository

NOT_SHIPPED = ["slipway.toml", "Pulumi*.yaml", "infra/**", "checks/**", ".github/**", "**/.env*"]
"""What `init` writes and no host needs."""
HEALTH = "(?:api/)?(?:healthz?|health-check|healthcheck|up|livez?|_health|status/health)"
READY = "(?:api/)?(?:readyz?|readiness|health/ready)"
SOCKETS = r"(?:ws|socket|sockets|realtime|live|chat|cable)(?:/[\w-]+)*"
PORT = r"\bPORT\b"
EXAMPLE_URL = r"^\w+://[^/]*\bexample\b"
ROUTE_FILE = re.compile(r"^(?:src/)?(?:app/(.*)/route|pages/(api/.*))\.[jt]sx?$")
"""Next.js names a route by its file."""
_MIGRATE_SCRIPTS = ("migrate", "db:migrate", "migrate:deploy", "db:deploy", "migration:run")


@dataclass
class Process:
    """One process; why it is there."""

    command: str
    why: str
    directory: str = "."


@dataclass
class Draft:
    """What init found out, and what slipway.toml shall say."""

    name: str
    recipe: Recipe
    found: list[Reason]
    runtime: str
    version: str
    include: list[str] = field(default_factory=list[str])
    build: str = ""
    deps_inputs: list[str] = field(default_factory=list[str])
    deps_command: str = ""
    deps_paths: list[str] = field(default_factory=list[str])
    processes: dict[str, Process] = field(default_factory=dict[str, Process])
    health: str = "/health"
    ready: str = "/ready"
    migrate: str = ""
    migrate_files: str = "migrations/*.sql"
    env: Environment = field(default_factory=Environment)
    websocket: str = ""
    domain: str = ""
    hosts: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    edits: list[str] = field(default_factory=list[str])
    """What only a person can decide or change, each in one sentence."""

    @property
    def web(self) -> Process | None:
        return self.processes.get("web")

    @property
    def has_workers(self) -> bool:
        return any(name != "web" for name in self.processes)


def draft(root: Path, kind: str = "") -> Draft:
    """What slipway.toml shall say for the repository at `root`.

    BadInput: `kind` names a tool whose file is not there.
    """
    repository = Repository(root)
    given = read(repository, kind)
    recipe, reason = choose(repository)
    runtime, why = _runtime(repository, recipe)
    version, where = version_of(repository, runtime)
    found = [reason, *([Reason(f"{runtime} {version}", where or why)] if version else [])]
    drafted = Draft(
        name=_name(root, repository, given), recipe=recipe, found=found, runtime=runtime, version=version
    )
    drafted.edits += recipe.edits
    packager = _dependencies(drafted, repository)
    entries = Entries(repository, recipe, drafted.name, packager)
    drafted.build = entries.build()
    drafted.include = list(recipe.include)
    _processes(drafted, entries, given)
    _paths(drafted, repository, given)
    _migrations(drafted, repository, entries, given)
    drafted.env = environment(repository, given, recipe)
    found += [Reason(service, because) for service, because in drafted.env.services.items()]
    _sockets(drafted, repository)
    _needs(drafted, repository)
    for file in given:
        drafted.domain = drafted.domain or file.domain
        drafted.hosts = drafted.hosts or file.hosts
        found.append(Reason(f"what {file.file} says", ", ".join(file.processes) or "env and services"))
        if "mysql" in file.services:
            drafted.edits.append("database: slipway sets up PostgreSQL; keep MySQL as an external database")
    return drafted


def _runtime(repository: Repository, recipe: Recipe) -> tuple[str, str]:
    """The recipe's runtime; bun for what its lock file says is run by bun."""
    if recipe.runtime == "node" and recipe.id != "next" and (why := uses_bun(repository)):
        return "bun", why
    return recipe.runtime, "slipway's own choice: no file names a version"


def _name(root: Path, repository: Repository, given: list[Given]) -> str:
    """A name for the app: that of another tool's file, of the manifest, or of the folder."""
    module = re.search(r"^module\s+(\S+)", repository.text("go.mod"), re.M)
    manifests = (("pyproject.toml", "project"), ("Cargo.toml", "package"))
    candidates = [file.name for file in given]
    candidates += [package.name for package in repository.packages[:1]]
    candidates += [str(repository.table(file, key).get("name", "")) for file, key in manifests]
    candidates += [re.sub(r"/v\d+$", "", module[1]).rpartition("/")[2]] if module else []
    for candidate in [*candidates, root.resolve().name]:
        clean = re.sub(r"[^a-z0-9]+", "-", candidate.lower()).strip("-")[:31].strip("-")
        if re.match(r"[a-z]", clean):
            return clean
    return "app"


def _dependencies(drafted: Draft, repository: Repository) -> Packager | None:
    recipe = drafted.recipe
    kind = "python" if recipe.runtime == "python" or recipe.deps == "python" else "js"
    packager = packager_of(repository, kind)
    if kind == "js" and not repository.packages:
        return None
    if packager is None:
        lock = "uv lock" if kind == "python" else f"{'bun' if drafted.runtime == 'bun' else 'npm'} install"
        drafted.edits.append(
            f"lock file: none is committed, so two builds may differ; run `{lock}` and commit it"
        )
        packager = _unlocked(drafted.runtime, kind)
    else:
        drafted.found.append(Reason(f"dependencies by {packager.production.split()[0]}", packager.lock))
    if recipe.deps == "none":
        return packager
    drafted.deps_command = packager.production
    inputs = [packager.lock, *packager.also] if packager.lock else ["pyproject.toml", *packager.also]
    if kind == "python":
        drafted.deps_paths = [".venv"]
    else:
        workspaces = sorted(each.folder for each in repository.packages if each.folder != ".")
        parents = sorted({folder.rpartition("/")[0] for folder in workspaces})
        inputs += [
            "package.json",
            *(f"{parent}/*/package.json" if parent else "*/package.json" for parent in parents),
        ]
        drafted.deps_paths = ["**/node_modules"] if workspaces else ["node_modules"]
        if workspaces:
            drafted.found.append(Reason("workspaces", ", ".join(workspaces)))
    drafted.deps_inputs = [name for name in dict.fromkeys(inputs) if repository.has(name) or "*" in name]
    return packager


def _unlocked(runtime: str, kind: str) -> Packager:
    if kind == "python":
        return Packager(lock="", production="uv sync --no-dev --no-install-project")
    if runtime == "bun":
        return Packager(lock="", install="bun install", production="bun install --production", run="bun run")
    return Packager(lock="", install="npm install", production="npm install --omit=dev", run="npm run")


def _processes(drafted: Draft, entries: Entries, given: list[Given]) -> None:
    """What other tools' files name comes first: a person wrote it. Then the recipe, then the manifest."""
    for file in given:
        for name, command in file.processes.items():
            clean = re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-")
            if clean not in drafted.processes:
                drafted.processes[clean] = Process(entries.runnable(command), file.file)
    for name, process in entries.processes().items():
        drafted.processes.setdefault(name, Process(*process))
    command = dockerfile_command(entries.repository)
    if drafted.runtime == "image":
        for name, process in drafted.processes.items():
            drafted.processes[name] = replace(process, command=_words(process.command))
        if command:  # which the build reads from the image itself
            drafted.processes["web"] = Process("", "the Dockerfile: its ENTRYPOINT and CMD")
    elif drafted.web is None and command:
        drafted.processes["web"] = Process(command, "Dockerfile")
    if drafted.web is None:
        drafted.edits.append("processes.web.command: nothing in the repository says how the app is started")
        drafted.processes["web"] = Process(
            "echo 'write the command that starts the app' && exit 1", "not found"
        )
    drafted.processes = {"web": drafted.processes.pop("web"), **drafted.processes}
    drafted.edits += entries.edits


def _words(command: str) -> str:
    """A command of an image, which no shell reads: where it needs one, it starts one."""
    return shlex.join(["sh", "-c", command]) if re.search(r"[$;&|<>*`=]", command) else command


def _paths(drafted: Draft, repository: Repository, given: list[Given]) -> None:
    """Paths that answer 200: named by another tool, found in the source, or the front page."""
    named = next((file.health for file in given if file.health.startswith("/")), "")
    health, ready = _path(repository, HEALTH), _path(repository, READY)
    seen = named or (health[0] if health else "")
    drafted.health = seen or drafted.recipe.health or "/"
    drafted.ready = (ready[0] if ready else "") or seen or drafted.recipe.ready or drafted.health
    if named or health or ready:
        where = ready or health
        drafted.found.append(
            Reason(f"ready path {drafted.ready}", where[1] if where else "the other tool's file")
        )
    elif not drafted.recipe.ready:
        drafted.edits.append(
            "processes.web.ready: no health path in the source, so the front page stands in for it; add"
            " one that answers 200 once the app can serve"
        )


def _path(repository: Repository, pattern: str) -> tuple[str, str] | None:
    """A path of the app that `pattern` matches without its first slash, and the file that has it."""
    for name in repository.files:
        if (match := ROUTE_FILE.match(name)) and re.fullmatch(pattern, match[1] or match[2]):
            return f"/{match[1] or match[2]}", name
    # Django writes its paths without the first slash, and redirects those that lack the last one.
    quote = "[\"'`]"
    found = repository.search(rf"{quote}/({pattern})/?{quote}|\bpath\(\s*{quote}({pattern}/?){quote}")
    return (f"/{found[1][1] or found[1][2]}", found[0]) if found else None


def _migrations(drafted: Draft, repository: Repository, entries: Entries, given: list[Given]) -> None:
    release = next((file.release for file in given if file.release), "")
    scripts = {name: each for package in repository.packages for name, each in package.scripts.items()}
    script = next((name for name in _MIGRATE_SCRIPTS if name in scripts), "")
    command = entries.runnable(release) if release else drafted.recipe.migrate
    if not command and "prisma" in " ".join([*repository.js, *scripts.values()]):
        command = "prisma migrate deploy"
    if not command and script:
        command = entries.runnable(scripts[script])
    if not command:
        command = entries.migrate()
    if not command:
        return
    drafted.migrate = command
    folders = [name.rpartition("/")[0] for name in repository.files if name.endswith(".sql")]
    if migrations := next((folder for folder in folders if re.search(r"migrat|drizzle", folder)), ""):
        up = any(name.startswith(migrations) and name.endswith(".up.sql") for name in repository.files)
        nested = migrations.rpartition("/")[0] if "prisma" in migrations else ""
        drafted.migrate_files = f"{nested}/*/*.sql" if nested else f"{migrations}/*{'.up' if up else ''}.sql"
    drafted.found.append(Reason("migrations", command))


def _sockets(drafted: Draft, repository: Repository) -> None:
    if not drafted.recipe.websocket and not repository.search(
        r"new WebSocketServer|\.ws\(|upgradeWebSocket|app\.websocket|r/websocket|server\.upgrade\("
    ):
        return
    path = _path(repository, SOCKETS)
    drafted.websocket = path[0] if path else "/ws"
    drafted.found.append(
        Reason(f"WebSockets on {drafted.websocket}", path[1] if path else drafted.recipe.title)
    )
    if path is None:
        drafted.edits.append("websocket.path: the source does not show it; /ws stands in for it")


def _needs(drafted: Draft, repository: Repository) -> None:
    """What the source lacks to run behind slipway."""
    for pattern, text, remedy in drafted.recipe.wants:
        files = [name for name in repository.files if re.fullmatch(pattern.replace("*", ".*"), name)]
        if not any(text in repository.text(name) for name in files):
            drafted.edits.append(remedy)
    for package in drafted.recipe.wants_python:
        if package not in repository.python and not (package == "uvicorn" and "fastapi" in repository.python):
            drafted.edits.append(f"dependencies: the web command needs {package}; add it")
    command = drafted.web.command if drafted.web else ""
    reads = repository.search(PORT) or re.search(PORT, repository.text("Dockerfile"))
    # A server that `init` writes reads it, and so do Next.js and what starts Rails.
    served = drafted.recipe.files or drafted.recipe.id in ("next", "rails")
    if not served and "PORT" not in command and not reads:
        drafted.edits.append(
            "PORT: the source never reads it; listen on 127.0.0.1 and $PORT, which the host sets"
        )
    wants = drafted.recipe.arguments
    if wants and " " not in command and (found := repository.search(wants)):
        drafted.edits.append(f"processes.web.command: {found[0]} wants a subcommand; add the one that serves")
    _facts(drafted, repository)


def _facts(drafted: Draft, repository: Repository) -> None:
    """What the repository cannot know: when its schedules are due, and where services of others are."""
    for name in repository.files if drafted.recipe.schedules else ():
        if match := re.match(drafted.recipe.schedules, name):
            path = match[1] or match[2]
            drafted.edits.append(
                f"cron.{path.rpartition('/')[2]}: a schedule calls /{path}; add the entry, and say when"
            )
    for name, entry in drafted.env.entries.items():
        if re.search(EXAMPLE_URL, str(entry.keys.get("value", ""))):
            drafted.edits.append(
                f"env.{name}: {entry.why} has an example; write the URL here, or each stack's in slipway:env"
            )

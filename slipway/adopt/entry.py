"""How an app is built and started, as its own manifests and source say."""

import re
from typing import Any, cast

from slipway.adopt.recipe import SERVERS, Packager, Recipe
from slipway.adopt.repository import Package, Repository

WEB = re.compile(r"^(?:api|web|server|app|backend|http)$")
WORKER = re.compile(r"worker|jobs?|queue|consumer|scheduler")
STARTS = ("start:prod", "start:production", "start", "serve")
SOURCES = tuple(
    f"{folder}{name}" for folder in ("src/", "") for name in ("index", "server", "web", "main", "app")
)

DENO = ("main.ts", "server.ts", "src/main.ts", "src/server.ts", "mod.ts", "main.js", "server.js")


class Entries:
    """Commands of a repository, by its recipe. `edits` holds what could not be found out."""

    def __init__(self, repository: Repository, recipe: Recipe, name: str, packager: Packager | None) -> None:
        self.repository = repository
        self.edits: list[str] = []
        self._recipe, self._name, self._packager = recipe, name, packager

    def build(self) -> str:
        """What runs in a clean copy of the source; empty if nothing has to."""
        if self._recipe.build:
            return self._filled(self._recipe.build)
        packager = self._packager
        if self._recipe.id.startswith("django") and self.repository.search(r"STATIC_ROOT"):
            production = packager.production if packager else ""
            return (
                f"{production} && SECRET_KEY=build .venv/bin/python manage.py collectstatic --noinput".lstrip(
                    " &"
                )
            )
        builds = [each for each in self.repository.packages if "build" in each.scripts]
        if packager is None or not packager.run or not builds:
            return ""
        if builds[0].folder == ".":
            return f"{packager.install} && {packager.run} build"
        each = [f"(cd {package.folder} && {packager.run} build)" for package in builds]
        return " && ".join([packager.install, *each])

    def processes(self) -> dict[str, tuple[str, str, str]]:
        """Command, reason and directory of each process."""
        if self._recipe.web:
            return {"web": (self._filled(self._recipe.web), self._recipe.title, ".")}
        found: dict[str, tuple[str, str, str]] = {}
        packages = self.repository.packages
        for package in packages if len(packages) == 1 else packages[1:]:
            for script, command in package.scripts.items():
                is_worker = bool(WORKER.search(script)) and not re.search(r"dev|watch|build|test", script)
                if is_worker and "worker" not in found:
                    found["worker"] = self._script(package, script, command)
            start = next((name for name in STARTS if name in package.scripts), "")
            if start and WORKER.search(package.folder.rpartition("/")[2]):
                found.setdefault("worker", self._script(package, start, package.scripts[start]))
            elif "web" not in found and (start or len(packages) == 1) and self._is_web(package):
                found["web"] = (
                    self._script(package, start, package.scripts[start]) if start else self._source(package)
                )
        if (
            "web" not in found
            and packages
            and (start := next((s for s in STARTS if s in packages[0].scripts), ""))
        ):
            found["web"] = self._script(packages[0], start, packages[0].scripts[start])
        if "worker" not in found and len(packages) == 1:
            found["worker"] = self._source(packages[0], ("src/worker", "worker"), main=False)
        return {name: each for name, each in found.items() if each[0]}

    def migrate(self) -> str:
        """A program named migrate beside a folder `migrations`; empty if there is none that could run."""
        runner = "bun" if self._packager and self._packager.run.startswith("bun") else "node"
        ends = "ts|js|mjs" if runner == "bun" else "js|mjs"
        for name in self.repository.files:
            beside = re.fullmatch(rf"((?:.*/)?)migrate\.(?:{ends})", name)
            if beside and any(each.startswith(f"{beside[1]}migrations/") for each in self.repository.files):
                return f"{runner} {name}"
        return ""

    def runnable(self, command: str) -> str:
        """`command` as it runs on a host: node_modules/.bin is on PATH, a package manager is not."""
        command = command.strip()
        if match := re.fullmatch(r"(?:npm(?: run)?|yarn(?: run)?|pnpm(?: run)?) ([\w:-]+)", command):
            scripts = self.repository.packages[0].scripts if self.repository.packages else {}
            return self.runnable(scripts[match[1]]) if match[1] in scripts else command
        if match := re.fullmatch(r"(?:npx|pnpm exec|yarn exec)\s+(.+)", command):
            return match[1]
        if self._recipe.runtime == "python":
            # Programs of the environment are not on a host's PATH.
            programs = "python3?|gunicorn|uvicorn|daphne|celery|hypercorn|flask|alembic"
            return re.sub(
                rf"^(?:(?:uv|poetry|pipenv) run )?({programs})\b",
                lambda match: f".venv/bin/{'python' if match[1].startswith('python') else match[1]}",
                command,
            )
        return command

    def _script(self, package: Package, script: str, command: str) -> tuple[str, str, str]:
        where = f"{script} in {package.folder + '/' if package.folder != '.' else ''}package.json"
        if re.search(r"\b(?:nodemon|--watch|turbo|concurrently|nx)\b", command):
            self.edits.append(
                f"processes: {where} is made for development; write what starts it in production"
            )
        return self.runnable(command), where, package.folder

    def _source(
        self, package: Package, stems: tuple[str, ...] = SOURCES, *, main: bool = True
    ) -> tuple[str, str, str]:
        """The entry point itself, where no script starts it."""
        runner = "bun" if self._packager and self._packager.run.startswith("bun") else "node"
        named = str(package.data.get("main") or package.data.get("module") or "") if main else ""
        prefix = "" if package.folder == "." else f"{package.folder}/"
        for stem in [named, *(f"{each}.{end}" for each in stems for end in ("ts", "js", "mjs"))]:
            can_run = runner == "bun" or not stem.endswith(".ts")
            if stem and can_run and self.repository.has(f"{prefix}{stem}"):
                return f"{runner} {stem}", f"{prefix}{stem}", package.folder
        return "", "", package.folder

    def _is_web(self, package: Package) -> bool:
        """By its dependencies, its folder's name, or because it is the only one."""
        servers = SERVERS | {"elysia", "hono", "next", "@ws-kit/bun", "@ws-kit/zod"}
        named = WEB.match(package.folder.rpartition("/")[2])
        return bool(len(self.repository.packages) == 1 or servers & set(package.needs) or named)

    def _filled(self, text: str) -> str:
        """`text` with `{main}` and the like filled in; only those that it has are looked for."""
        makers = {
            "name": lambda: self._name,
            "install": lambda: self._packager.install if self._packager else "npm install",
            "run": lambda: self._packager.run if self._packager else "npm run",
            "main": self._go_main,
            "crate": self._crate,
            "module": self._module,
            "package": self._django,
            "entry": lambda: self.repository.first(*DENO) or DENO[0],
            "script": lambda: self.repository.first("server.py", "app.py", "main.py", "web.py"),
        }
        return re.sub(
            r"\{(\w+)\}", lambda match: makers[match[1]]() if match[1] in makers else match[0], text
        )

    def _go_main(self) -> str:
        """The folder of the package main that serves: the root, else the likeliest below cmd/."""
        mains = sorted(
            {
                name.rpartition("/")[0]
                for name, text in self.repository.source()
                if re.search(r"^package main\b", text, re.M)
            }
        )
        if not mains or "" in mains:
            return "."
        likely = [
            each for each in mains if WEB.match(each.rpartition("/")[2]) or each.endswith(f"/{self._name}")
        ]
        if len(mains) > 1 and not likely:
            self.edits.append(
                f"build.command: several programs ({', '.join(mains)}); name the one that serves"
            )
        return f"./{(likely or mains)[0]}"

    def _crate(self) -> str:
        bins = cast("list[dict[str, Any]]", self.repository.toml("Cargo.toml").get("bin") or [{}])
        named = bins[0].get("name") or self.repository.table("Cargo.toml", "package").get("name")
        return str(named or self._name)

    def _module(self) -> str:
        """`package.module:variable` of the app object."""
        if found := self.repository.search(self._recipe.module):
            name, match = found
            return f"{name.removesuffix('.py').removesuffix('/__init__').replace('/', '.')}:{match[1]}"
        self.edits.append("processes.web.command: the module that makes the app object was not found")
        return "main:app"

    def _django(self) -> str:
        found = re.search(
            r"""DJANGO_SETTINGS_MODULE["'],\s*["']([\w.]+)""", self.repository.text("manage.py")
        )
        package = found[1].split(".")[0] if found else ""
        if not package:
            self.edits.append("processes.web.command: manage.py does not name the settings module")
        return package or "config"

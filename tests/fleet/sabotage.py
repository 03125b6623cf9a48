"""Ways in which a release of the board can go wrong, each a small change to its source."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Sabotage:
    name: str
    apply: Callable[[Path], object]
    phase: str
    """The phase that must notice."""
    says: str
    """What the error must tell."""


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text, f"{path} has no {old!r}"
    path.write_text(text.replace(old, new, 1))


def prepend(path: Path, line: str) -> None:
    path.write_text(line + "\n" + path.read_text())


def _migration(app: Path, name: str, sql: str) -> None:
    (app / "migrations" / f"{name}.up.sql").write_text(sql)
    (app / "migrations" / f"{name}.down.sql").write_text("SELECT 1;\n")


SABOTAGES = (
    Sabotage(
        "does not compile",
        lambda app: edit(app / "slipway.toml", "[build]\n", '[build]\ncommand = "bun build ./src/none.ts"\n'),
        "build",
        "none.ts",
    ),
    Sabotage(
        "crashes at start",
        lambda app: prepend(app / "src/web.ts", 'console.error("no such planet"); process.exit(3);'),
        "boot",
        "no such planet",
    ),
    Sabotage(
        "never gets ready",
        lambda app: edit(
            app / "src/routes/operations.ts", "const ready = database", "const ready = false && database"
        ),
        "boot",
        "/ready",
    ),
    Sabotage(
        "fails smoke",
        lambda app: edit(app / "src/routes/auth.ts", "/sign-in", "/sign-inn"),
        "smoke",
        "signs in",
    ),
    Sabotage(
        "migration fails half-way",
        lambda app: _migration(
            app, "9001_half", "CREATE TABLE half_way (id int);\nINSERT INTO no_such_table VALUES (1);\n"
        ),
        "migrate",
        "no_such_table",
    ),
)

ANSWERS_500 = Sabotage(
    "answers 500 after the switch",
    lambda app: edit(
        app / "src/routes/open.ts",
        "() => summary(), {",
        '() => { if (process.uptime() > 0) throw new Error("the summary is broken"); return summary(); }, {',
    ),
    "observe",
    "5xx",
)

HANGS = Sabotage(
    "never answers some requests after the switch",
    lambda app: edit(
        app / "src/routes/open.ts",
        "() => summary(), {",
        "async () => { if (Math.random() < 0.3) await new Promise(() => {}); return summary(); }, {",
    ),
    "observe",
    "waited 5 s or longer",
)

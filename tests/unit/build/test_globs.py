"""Which paths a glob of slipway.toml names."""

from __future__ import annotations

import pytest

from slipway.build.source import matcher


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("**", "a/b/c.ts"),
        ("node_modules", "node_modules/zod/index.js"),
        ("node_modules/", "node_modules/zod/index.js"),
        ("apps/*/node_modules", "apps/api/node_modules/x"),
        ("**/*.map", "a.map"),
        ("**/*.map", "dist/deep/a.map"),
        ("dist/**", "dist/a/b"),
        ("migrations/*.up.sql", "migrations/0001_a.up.sql"),
        ("./bun.lock", "bun.lock"),
        ("file[0-9].txt", "file7.txt"),
        ("file[!0-9].txt", "filex.txt"),
        ("a?c", "abc"),
        ("with space/(x).ts", "with space/(x).ts"),
    ],
)
def test_a_glob_names(pattern: str, path: str) -> None:
    assert matcher([pattern])(path)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("node_modules", "apps/node_modules/x"),
        ("node_modules", "node_modules2/x"),
        ("*.ts", "src/a.ts"),
        ("apps/*/node_modules", "apps/a/b/node_modules"),
        ("migrations/*.up.sql", "migrations/old/0001.up.sql"),
        ("a?c", "a/c"),
        ("a.c", "abc"),
        ("dist/**", "distant/a"),
    ],
)
def test_a_glob_does_not_name(pattern: str, path: str) -> None:
    assert not matcher([pattern])(path)

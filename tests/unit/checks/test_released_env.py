"""What a process may have in its environment beside what was released."""

from __future__ import annotations

import pytest

from checks.hosts.test_release import assigned_by


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("env DENO_DIR=.deno deno run main.ts", {"DENO_DIR"}),
        ("NODE_OPTIONS=--enable-source-maps A=1 node server.js", {"NODE_OPTIONS", "A"}),
        ("export TZ=UTC; exec ./app --name=x", {"TZ"}),
        ("./app --set-env=A --url http://a/?b=1", set[str]()),
    ],
)
def test_a_command_s_own_variables_are_known(command: str, names: set[str]) -> None:
    assert assigned_by(command) == names

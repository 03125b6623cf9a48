"""The Worker is shipped as it is tried: `examples/board/test/workerd.ts` reads the same file."""

from __future__ import annotations

import json
from pathlib import Path

from infra.cloudflare import realtime
from infra.cloudflare.realtime import worker_variables
from slipway.settings import open_project

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "examples" / "board" / "worker" / "deploy.json"


def test_the_worker_is_shipped_with_the_names_and_the_date_it_is_tried_with():
    tried = json.loads(DEPLOY.read_text())
    assert tried == {
        "main_module": realtime.SCRIPT.name,
        "compatibility_date": realtime.COMPATIBLE_WITH,
        "compatibility_flags": ["nodejs_compat"],
        "class_name": realtime.CLASS,
        "binding": realtime.BINDING,
        "migration_tag": realtime._FIRST,  # pyright: ignore[reportPrivateUsage]
    }


def test_the_worker_is_told_the_apps_limits_and_no_secret():
    project = open_project("prod", ROOT)
    told = worker_variables(project.app, project.stack)
    assert told["PUBLIC_URL"] == "https://board.example.com"
    assert (told["SERVICE_NAME"], told["WS_MESSAGE_LIMIT"], told["WS_IDLE_TIMEOUT_MS"]) == (
        "board",
        "100",
        "300000",
    )
    hidden = {name for name, var in project.app.env.items() if var.secret or var.source}
    assert {"JWT_SECRET", "REDIS_URL", "DATABASE_URL"} <= hidden
    assert told.keys() & (hidden - {"PUBLIC_URL"}) == set()


def test_a_stacks_own_number_reaches_the_worker_too():
    project = open_project("prod", ROOT)
    stack = project.stack.model_copy(update={"env": {"WS_MESSAGE_LIMIT": "7"}})
    assert worker_variables(project.app, stack)["WS_MESSAGE_LIMIT"] == "7"

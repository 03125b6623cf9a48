"""The Worker is shipped as it is tried: `examples/board/test/workerd.ts` reads the same file."""

from __future__ import annotations

import json
from pathlib import Path

from infra.cloudflare import realtime

DEPLOY = Path(__file__).parents[2] / "examples" / "board" / "worker" / "deploy.json"


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

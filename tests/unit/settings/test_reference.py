from __future__ import annotations

import re
from pathlib import Path

from slipway.settings import App
from slipway.settings.reference import render

MANUAL = Path(__file__).parents[3] / "docs" / "slipway-toml.md"


def test_the_manual_is_what_the_models_say():
    assert MANUAL.read_text() == render(), "python -m slipway.settings.reference > docs/slipway-toml.md"


def test_the_manual_has_a_table_for_every_table_of_the_file():
    headings = set(re.findall(r"^## \[+(\w+)", render(), re.MULTILINE))
    tables = {name for name in App.model_fields if name not in ("name", "client_prefixes", "private_paths")}
    assert headings == tables


def test_every_key_of_the_manual_says_what_it_means():
    rows = [line for line in render().splitlines() if line.startswith("| `") and line.count(" | ") == 3]
    assert len(rows) > 80
    assert [row for row in rows if row.endswith("|  |")] == []

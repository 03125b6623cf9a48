"""The outcomes, kept in reports/faults.json: the newest one of each cell, whichever run it comes from."""

import json
import os
import platform
import subprocess
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.fleet.faults.scene import RPS, SOCKETS, Outcome

ROOT = Path(__file__).parents[3]
FILE = Path(os.environ.get("REPORTS_DIR", ROOT / "reports")) / "faults.json"


def read() -> dict[str, Any]:
    """By cell, its outcome with date, commit and machine."""
    return json.loads(FILE.read_text()) if FILE.exists() else {}


def keep(outcome: Outcome) -> None:
    """Write an outcome in the place of the cell's earlier one."""
    FILE.parent.mkdir(parents=True, exist_ok=True)
    results = read() | {outcome.cell: asdict(outcome) | _where()}
    FILE.write_text(json.dumps(results, indent=1) + "\n")


def _where() -> dict[str, str]:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit.stdout.strip(),
        "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        "traffic": f"{RPS} requests/s and {SOCKETS} WebSockets",
    }

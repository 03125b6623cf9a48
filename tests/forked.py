"""pytest in a process that is quick to come: forked from one that has imported all but what is tested.

A run of checks costs seconds of imports and a fraction of a second of checking.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from pathlib import Path

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        *("pytest", "httpx", "websocket", "psycopg", "redis", "testinfra.host", "jinja2", "rich.console"),
        *("cryptography.x509", "slipway.stack", "slipway.traffic.sign_in"),
        *("slipway.build.manifest", "slipway.secrets.contract"),
        *("checks.kit.plugin", "checks.kit.site", "checks.data.services"),
    ]
)


def forked_pytest(argv: list[str], folder: Path, said: Path, seconds: float) -> int:
    """Runs `pytest …` in `folder`, without plugins that are only installed; its exit code.

    What it printed is in the file `said`. Raises TimeoutError after `seconds`.
    """
    process = _CONTEXT.Process(target=_pytest, args=(argv, folder, said, dict(os.environ)))
    process.start()
    process.join(seconds)
    if process.exitcode is None:
        process.kill()
        process.join()
        raise TimeoutError(f"pytest {' '.join(argv)} took more than {seconds:g} s")
    return process.exitcode


def _pytest(argv: list[str], folder: Path, said: Path, env: dict[str, str]) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    with said.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        import pytest  # noqa: PLC0415 - imported already where this was forked from

        code = int(pytest.main(argv))
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)

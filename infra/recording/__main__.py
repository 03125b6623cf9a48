"""`python -m infra.recording <root> <stack>`: the graph as JSON on standard output, or `{"error": …}`."""

import argparse
import gc
import importlib
import json
import os
import runpy
import sys
import traceback
from pathlib import Path
from typing import Any

import yaml

from infra import RECORDED
from infra.recording.record import ProgramFailed
from infra.recording.sandbox import attempts, go_offline, install as make_cloudflare_lean
from slipway.settings import SlipwayError


def main() -> int:
    """Print the graph or the error; returns the exit code."""
    gc.disable()  # the process is too short-lived to collect garbage
    parser = argparse.ArgumentParser(prog="python -m infra.recording")
    parser.add_argument("root", type=Path)
    parser.add_argument("stack")
    parser.add_argument("--answer", default="", help="module:function that answers for some outputs")
    given = parser.parse_args()
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the program prints is not the graph
    try:
        document, code = _record(given.root.resolve(), given.stack, given.answer), 0
    except Exception as error:
        known = _cause(error)
        document, code = (_as_json(known), known.exit_code) if known else (_failed(error), 1)
    out.write(json.dumps(document))  # json.dump is pure Python, and slow
    out.close()
    return code


def _record(root: Path, stack: str, answer: str) -> dict[str, Any]:
    make_cloudflare_lean()
    from infra.recording.run import run  # noqa: PLC0415 - after the lean import

    project = yaml.safe_load((root / "Pulumi.yaml").read_text(encoding="utf-8"))
    folder = root / str(project.get("main", "."))
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    sys.argv = [str(folder)]
    function = None
    if answer:
        module, _, name = answer.partition(":")
        function = getattr(importlib.import_module(module), name)
    os.environ[RECORDED] = "1"
    go_offline()
    graph = run(
        lambda: runpy.run_path(str(folder), run_name="__main__"),
        project=project["name"],
        stack=stack,
        root=str(root),
        answer=function,
    )
    if attempts:
        raise ProgramFailed("the program body used the network or started a process", details=attempts)
    return graph.as_json()


def _as_json(error: SlipwayError) -> dict[str, Any]:
    """The error as JSON, with the names of all its classes: the other process knows at least one."""
    kinds = [each.__name__ for each in type(error).__mro__]
    details = list(error.details)
    return {"error": {"kinds": kinds, "message": error.message, "remedy": error.remedy, "details": details}}


def _failed(error: Exception) -> dict[str, Any]:
    blocks = traceback.format_exception(error)[-12:]
    details = [line for block in blocks for line in block.rstrip().splitlines()]
    return _as_json(ProgramFailed(f"the program failed: {error}", details=details))


def _cause(error: BaseException) -> SlipwayError | None:
    """The SlipwayError inside Pulumi's own exceptions, if there is one."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, SlipwayError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # deallocating the SDK's classes would take a second

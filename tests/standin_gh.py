"""Stands in for `gh api` and GitHub behind it: `standin_gh.py STATE.json api …`. What it lacks is refused."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

BOT = "github-actions[bot]"
"""Whose comments a job's own token writes."""


def refuse(why: str) -> NoReturn:
    print(f"gh: {why}", file=sys.stderr)
    sys.exit(1)


def main() -> None:
    file, (command, *words) = Path(sys.argv[1]), sys.argv[2:]
    if command != "api" or not os.environ.get("GH_TOKEN"):
        refuse("only `gh api`, with GH_TOKEN")
    method, path, query, fields, silent = "", "", "", dict[str, str](), False
    while words:
        word = words.pop(0)
        if word == "--method":
            method = words.pop(0)
        elif word == "--jq":
            query = words.pop(0)
        elif word in ("-f", "-F"):
            key, _, value = words.pop(0).partition("=")
            fields[key] = Path(value[1:]).read_text() if word == "-F" and value.startswith("@") else value
        elif word == "--silent":
            silent = True
        elif word != "--paginate":
            path = word
    method = method or ("POST" if fields else "GET")
    state = json.loads(file.read_text())
    answer = answered(state, method, path, fields)
    state["calls"].append([method, path])
    file.write_text(json.dumps(state))
    if silent:
        return
    text = json.dumps(answer)
    if query:
        ran = subprocess.run(["jq", "-r", query], input=text, capture_output=True, text=True, check=False)
        if ran.returncode:
            refuse(ran.stderr)
        text = ran.stdout
    sys.stdout.write(text)


def answered(state: dict[str, Any], method: str, path: str, fields: dict[str, str]) -> Any:
    """What GitHub answers; a comment is written into `state`."""
    found = re.fullmatch(r"repos/acme/board/(.+)", path) or refuse(f"HTTP 404: {path}")
    rest = found[1]
    if method == "GET" and rest == "pulls":
        owner, _, branch = fields["head"].partition(":")
        return [
            each for each in state["pulls"] if (each["head"]["owner"], each["head"]["ref"]) == (owner, branch)
        ]
    if method == "GET" and (match := re.fullmatch(r"pulls/(\d+)", rest)):
        named = [each for each in state["pulls"] if each["number"] == int(match[1])]
        return named[0] if named else refuse("HTTP 404: Not Found")
    if method == "GET" and (match := re.fullmatch(r"actions/runs/(\d+)/artifacts", rest)):
        sizes: dict[str, int] = state["artifacts"]
        return {"artifacts": [{"name": name, "size_in_bytes": size} for name, size in sizes.items()]}
    comments: list[dict[str, Any]] = state["comments"]
    if method == "GET" and (match := re.fullmatch(r"issues/(\d+)/comments", rest)):
        return [each for each in comments if each["issue"] == int(match[1])]
    if method == "POST" and (match := re.fullmatch(r"issues/(\d+)/comments", rest)):
        made = {"id": len(comments) + 1, "issue": int(match[1]), "user": {"login": BOT}, **fields}
        comments.append(made)
        return made
    if method == "PATCH" and (match := re.fullmatch(r"issues/comments/(\d+)", rest)):
        (named,) = [each for each in comments if each["id"] == int(match[1])]
        if named["user"]["login"] != BOT:
            refuse("HTTP 403: Resource not accessible by integration")
        named.update(fields)
        return named
    refuse(f"HTTP 404: {method} {path}")


if __name__ == "__main__":
    main()

"""The small cloud's provider: a resource is a file `<name>-<random>.json` in the folder that CLOUD names."""

import json
import os
import time
import uuid
from pathlib import Path
from typing import Any

from pulumi.dynamic import CreateResult, DiffResult, ReadResult, ResourceProvider, UpdateResult

KEPT = ("name", "version", "text", "seconds", "fail")


def cloud() -> Path:
    return Path(os.environ["CLOUD"])


def keep(id_: str, props: dict[str, Any]) -> dict[str, Any]:
    kept = {key: props[key] for key in KEPT}
    (cloud() / f"{id_}.json").write_text(json.dumps(kept))
    return kept


class Files(ResourceProvider):
    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        (cloud() / f"begun-{props['name']}").touch()
        time.sleep(props["seconds"])
        if props["fail"]:
            raise RuntimeError(props["fail"])
        id_ = f"{props['name']}-{uuid.uuid4().hex[:6]}"
        return CreateResult(id_, keep(id_, props))

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        replaces = ["version"] if _olds["version"] != _news["version"] else []
        return DiffResult(changes=bool(replaces) or _olds["text"] != _news["text"], replaces=replaces)

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        return UpdateResult(keep(_id, _news))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        file = cloud() / f"{id_}.json"
        if not file.exists():
            return ReadResult("", {})
        return ReadResult(id_, {**props, **json.loads(file.read_text())})

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        (cloud() / f"{_id}.json").unlink(missing_ok=True)

"""Runs on a host, as root, beside the rest of its kit: makes the host what the plan says. Safe to repeat.

Standard library only until the Python packages that pyinfra needs are there: they come from the builds bucket
once, and stay. `SLIPWAY_FACTS` is JSON of what only the host knows: `instance`, `address`, and `endpoints` if
AWS's services are elsewhere. Without it, the facts of the last time are used.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import platform
import shutil
import sys
import tarfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
HOST_JSON = Path("/etc/slipway/host.json")
ENDPOINTS = Path("/etc/slipway/endpoints.json")
PACKAGES = Path("/var/lib/slipway-setup")
"""Each set of Python packages has a folder here; only the last one is kept."""


def main() -> None:
    """Fetch what is missing, run the deploy, and print what it changed."""
    os.umask(0o022)
    kit: dict[str, Any] = json.loads((HERE / "kit.json").read_text())
    with Path("/run/slipway-setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        facts = known_facts()
        sys.path.insert(0, str(HERE))
        sys.path.insert(1, str(python_packages(kit, facts["endpoints"])))
        set_up(kit, facts)


def known_facts() -> dict[str, Any]:
    """`instance`, `address`, `endpoints`: given by user data, or found where the last set-up left them."""
    given = os.environ.get("SLIPWAY_FACTS")
    if given:
        return {"endpoints": {}, **json.loads(given)}
    try:
        before: dict[str, Any] = json.loads(HOST_JSON.read_text())
    except FileNotFoundError:
        sys.exit(f"{HOST_JSON} is missing and SLIPWAY_FACTS is not set: this host does not know its name")
    moved: dict[str, Any] = json.loads(ENDPOINTS.read_text()) if ENDPOINTS.exists() else {"endpoints": {}}
    return {"instance": before["instance"], "address": before["address"], **moved}


def host_name(role: str, instance: str) -> str:
    """The name by which discovery finds the host."""
    return f"{role}-{instance[-8:]}"


def python_packages(kit: dict[str, Any], endpoints: dict[str, str]) -> Path:
    """Folder of the packages for this processor and Python; fetched from the builds bucket if missing."""
    target = f"{platform.machine()}-{sys.version_info[0]}.{sys.version_info[1]}"
    archive = kit["python"].get(target)
    if archive is None:
        sys.exit(f"the kit has no Python packages for {target}, only for {', '.join(kit['python'])}")
    folder = PACKAGES / f"python-{archive['sha256'][:16]}"
    if not folder.is_dir():
        content = fetch(kit["builds"], archive["key"], endpoints)
        if hashlib.sha256(content).hexdigest() != archive["sha256"]:
            sys.exit(f"{archive['key']}: the builds bucket gave another content than the kit expects")
        unpack(content, folder)
    return folder


def fetch(builds: dict[str, str], key: str, endpoints: dict[str, str]) -> bytes:
    """An object of the builds bucket, read with the instance's role."""
    from hosts.agent.aws import download  # noqa: PLC0415 - the kit's folder is on the path by now
    from hosts.agent.host import Builds  # noqa: PLC0415
    from hosts.agent.imds import ENDPOINT, Imds  # noqa: PLC0415
    from hosts.agent.json_object import JsonObject  # noqa: PLC0415

    where = {**builds, "endpoint": endpoints.get("s3", builds["endpoint"])}
    imds = Imds(endpoints.get("imds", ENDPOINT))
    return b"".join(download(Builds(JsonObject(where, "kit.json"), lambda: imds), key, str(HERE / "ca.pem")))


def unpack(content: bytes, folder: Path) -> None:
    """Unpack whole or not at all, in the place of earlier packages."""
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    half = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(half, ignore_errors=True)
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        archive.extractall(half)  # noqa: S202 - its digest is the kit's
    for old in folder.parent.glob("python-*"):
        if old != half:
            shutil.rmtree(old)
    half.rename(folder)


def set_up(kit: dict[str, Any], facts: dict[str, Any]) -> None:
    """Run the deploy of the kit's role on this host."""
    from hosts.plan import Instance, unpack  # noqa: PLC0415 - needs the packages
    from hosts.run import set_up_here  # noqa: PLC0415
    from slipway.settings import Host  # noqa: PLC0415

    instance = Instance(facts["instance"], facts["endpoints"])
    plan = unpack((HERE / "plan.json").read_text(), HERE / "ca.pem", instance)
    name = host_name(kit["role"], instance.id)
    host = Host(name=name, roles=(kit["role"],), address=facts["address"], ssh_host="")
    result = set_up_here(plan, host, kit["digest"])
    for line in result.changed:
        print(line, flush=True)
    if result.failed:
        sys.exit("\n".join([f"{result.failed} failed:", *result.output]))
    print(f"set up as {kit['role']}, {kit['digest'][:16]}", flush=True)


if __name__ == "__main__":
    main()

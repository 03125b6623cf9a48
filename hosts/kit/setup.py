"""Runs on a host, as root, beside the rest of its kit: makes the host what the kit says. Safe to repeat.

Standard library only. `SLIPWAY_FACTS` is JSON of what the host alone knows: `instance`, `address`, and
`endpoints` if AWS's services are elsewhere. Without it, the facts of the last time count.
"""

from __future__ import annotations

import base64
import fcntl
import grp
import hashlib
import json
import os
import pwd
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = Path("/")
TAKEN_UP = "var/cache/slipway/taken-up"
DIGESTS = ("etc/slipway/setup.digest", "var/cache/slipway/setup.digest")
HOST_JSON = "etc/slipway/host.json"
ENDPOINTS = "etc/slipway/endpoints.json"


def main() -> None:
    """Packages, users, folders, files, effects; the digest only when all of it is done."""
    os.umask(0o077)
    kit: dict[str, Any] = json.loads((HERE / "kit.json").read_text())
    with Path("/run/slipway-setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        told = facts()
        install(kit["packages"])
        for user in kit["users"]:
            make_user(**user)
        for folder in kit["folders"]:
            run(
                "install",
                "-d",
                "-m",
                folder["mode"],
                "-o",
                folder["owner"],
                "-g",
                folder["owner"],
                folder["path"],
            )
        place([*own_files(kit, told), *(seed for seed in kit["seeds"] if not Path(seed["path"]).exists())])
        place([file for file in kit["files"] if state_of(file["path"]) != file["state"]])
        for effect in kit["effects"]:
            take_up(effect) if "take_up" in effect else set_units(effect)
        place([own_file(path, f"{kit['digest']}\n") for path in DIGESTS])
    print(f"set up as {kit['role']}, {kit['digest'][:16]}", flush=True)


def facts() -> dict[str, Any]:
    """What this host alone knows."""
    given = os.environ.get("SLIPWAY_FACTS")
    if given:
        return json.loads(given)
    try:
        before = json.loads((ROOT / HOST_JSON).read_text())
    except FileNotFoundError:
        sys.exit(f"/{HOST_JSON} is missing, and SLIPWAY_FACTS is not set: who is this host?")
    moved = ROOT / ENDPOINTS
    if moved.exists():
        before |= json.loads(moved.read_text())
    return {name: before[name] for name in ("instance", "address", "endpoints") if name in before}


def host_name(role: str, instance: str) -> str:
    """As the operator's discovery calls it."""
    return f"{role}-{instance[-8:]}"


def own_files(kit: dict[str, Any], told: dict[str, Any]) -> list[dict[str, Any]]:
    """host.json and endpoints.json, with the host's own facts."""
    builds = {**kit["host"]["builds"]}
    builds["endpoint"] = told.get("endpoints", {}).get("s3", builds["endpoint"])
    name = host_name(kit["role"], told["instance"])
    own = {"host": name, "instance": told["instance"], "address": told["address"], "builds": builds}
    files = [own_file(HOST_JSON, json.dumps({**kit["host"], **own}, indent=1))]
    if told.get("endpoints"):
        text = json.dumps({"endpoints": told["endpoints"]}, indent=1)
        files.append({**own_file(ENDPOINTS, text), "mode": 0o644})
    return files


def own_file(path: str, text: str) -> dict[str, Any]:
    """A file of root's alone."""
    content = base64.b64encode(text.encode()).decode()
    whole = {"path": str(ROOT / path), "content": content, "check": ""}
    return {**whole, "mode": 0o600, "owner": "root", "group": "root"}


def install(wanted: list[str]) -> None:
    """Only what is missing: a baked image needs neither lists nor network."""
    query = ["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\n"]
    listed = subprocess.run(query, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    installed = {line.split()[0] for line in listed if line.endswith(" installed")}
    missing = [name for name in wanted if name not in installed]
    if missing:
        say(f"packages {' '.join(missing)}")
        run("/bin/sh", str(HERE / "install.sh"), *missing)


def make_user(name: str, shell: str, home: str) -> None:
    """A user without a password; with a home it is a person's, without one a program's."""
    try:
        pwd.getpwnam(name)
    except KeyError:
        say(f"user {name}")
        kind = ["--create-home", "--home-dir", home] if home else ["--system", "--home-dir", "/nonexistent"]
        run("useradd", "--shell", shell, *kind, name)


def place(files: list[dict[str, Any]]) -> None:
    """Put files in their places, whole or not at all; a check may refuse one."""
    if files:
        say(f"files {' '.join(file['path'] for file in files)}")
        run(sys.executable, "-I", str(HERE / "place.py"), told=json.dumps(files))


def state_of(path: str) -> str:
    """Digest, mode and owners, as hosts/file.py writes them; empty if there is no such file."""
    try:
        found, content = Path(path).stat(), Path(path).read_bytes()
    except FileNotFoundError:
        return ""
    owner, group = pwd.getpwuid(found.st_uid).pw_name, grp.getgrgid(found.st_gid).gr_name
    return f"{hashlib.sha256(content).hexdigest()}:{found.st_mode & 0o7777:o}:{owner}:{group}"


def take_up(effect: dict[str, Any]) -> None:
    """Run the command unless it was run for just these files before."""
    kept = ROOT / TAKEN_UP / effect["take_up"]
    if kept.exists() and kept.read_text().strip() == effect["digest"]:
        return
    say(effect["take_up"])
    run("/bin/sh", "-c", effect["command"])
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(f"{effect['digest']}\n")


def set_units(effect: dict[str, Any]) -> None:
    """Enable, start and disable what is not so already."""
    for unit in (*effect["running"], *effect["at_boot"]):
        if asked("is-enabled", unit) not in ("enabled", "static", "alias"):
            run("systemctl", "enable", "--quiet", unit)
    for unit in effect["running"]:
        if asked("is-active", unit) != "active":
            say(f"start {unit}")
            run("systemctl", "start", unit)
    for unit in effect["never"]:
        if asked("is-enabled", unit) == "enabled":
            run("systemctl", "disable", "--quiet", unit)


def asked(question: str, unit: str) -> str:
    """systemd's answer in a word."""
    done = subprocess.run(["systemctl", question, unit], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def run(*argv: str, told: str = "") -> None:
    """Run a command; if it fails, end with its last words. `told` is its standard input and never shown."""
    done = subprocess.run(
        argv, input=told, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        last = "\n".join(done.stdout.splitlines()[-20:])
        sys.exit(f"{' '.join(argv)[:300]} failed with {done.returncode}:\n{last}")


def say(what: str) -> None:
    """For the journal."""
    print(what[:300], flush=True)


if __name__ == "__main__":
    main()

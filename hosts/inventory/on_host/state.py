"""Runs on a host, as root: prints as JSON what is there. Standard library only; changes nothing.

It comes on standard input, with `files.py` and `network.py` in front of it, so that a host cannot answer with
a program of its own.
"""

from __future__ import annotations

import base64
import glob
import grp
import hashlib
import json
import os
import pwd
import re
import socket
import sys

from hosts.inventory.on_host.files import (
    OTHER_FILE_SYSTEMS,
    WANTED,
    entry,
    foreign,
    mounts,
    packages,
    read,
    run,
    walk,
)
from hosts.inventory.on_host.network import network


def main() -> None:
    # Programs of the system only: what lies in /usr/local may have their names.
    os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
    owned, changed = packages()
    json.dump(
        {
            "files": {path: entry(path) for path in WANTED["files"]},
            "foreign": foreign(owned),
            "changed": changed,
            **walk(owned),
            **accounts(),
            **network(),
            **units(),
            **system(),
            "strangers": strangers(owned),
        },
        sys.stdout,
    )


# Who may sign in, by which key, and become root.


def accounts() -> dict[str, object]:
    shadow = [line.split(":") for line in read("/etc/shadow").splitlines()]
    return {
        "users": {
            each.pw_name: {"uid": each.pw_uid, "shell": each.pw_shell, "home": each.pw_dir}
            for each in pwd.getpwall()
        },
        "passwords": [name for name, word, *_ in shadow if word and word[0] not in "!*"],
        "empty": [name for name, word, *_ in shadow if not word],
        "groups": {each.gr_name: each.gr_mem for each in grp.getgrall() if each.gr_mem},
        "gid0": [each.pw_name for each in pwd.getpwall() if each.pw_gid == 0],
        "keys": keys(),
        "sshd": {
            line.partition(" ")[0]: line.partition(" ")[2]
            for line in run("sshd", "-T", "-C", SSH_AS).splitlines()
        },
        "sudo": sudo(),
    }


SSH_AS = "user=root,host=stranger.example,addr=203.0.113.9"


def keys() -> dict[str, list[str]]:
    """By file, the fingerprint of every key that opens an account; `?` for a line that is none."""
    shown = run("sshd", "-T")
    patterns = re.findall(r"^authorizedkeysfile (.*)$", shown, re.MULTILINE)
    names = {word for line in patterns for word in line.split()} | {
        ".ssh/authorized_keys",
        ".ssh/authorized_keys2",
    }
    found: dict[str, list[str]] = {}
    for each in pwd.getpwall():
        for name in names:
            path = name.replace("%h", each.pw_dir).replace("%u", each.pw_name).replace("%U", str(each.pw_uid))
            path = path if path.startswith("/") else f"{each.pw_dir}/{path}"
            for line in read(path).splitlines():
                if line.strip() and not line.lstrip().startswith("#"):
                    found.setdefault(path, []).append(fingerprint(line))
    return {path: sorted(set(prints)) for path, prints in found.items()}


def fingerprint(line: str) -> str:
    match = re.search(r"(?:^|\s)((?:ssh-|ecdsa-|sk-)\S+)\s+([A-Za-z0-9+/=]{40,})", line)
    if not match:
        return "?"
    try:
        raw = base64.b64decode(match[2] + "==")
    except ValueError:
        return "?"
    return "SHA256:" + base64.b64encode(hashlib.sha256(raw).digest()).decode().rstrip("=")


def sudo() -> dict[str, list[str]]:
    """By file, its rules."""
    found: dict[str, list[str]] = {}
    for path in ("/etc/sudoers", *sorted(glob.glob("/etc/sudoers.d/*"))):
        text = read(path).replace("\\\n", " ")
        rules = [" ".join(line.split()) for line in text.splitlines()]
        found[path] = [
            rule for rule in rules if rule and (not rule.startswith("#") or rule.startswith("#include"))
        ]
    return found


# Units, and the settings under which they run.


def units() -> dict[str, object]:
    listed = run(
        "systemctl", "list-units", "--all", "--plain", "--no-legend", "--type=service,timer,socket,path"
    )
    names = loaded(listed)
    wanted = sorted(set(WANTED["units"]) | {name for name in names if name.startswith("slipway-")})
    shown: dict[str, dict[str, str]] = {}
    for block in (run("systemctl", "show", "--", *wanted) if wanted else "").split("\n\n"):
        fields: dict[str, str] = {
            key: value for key, _, value in (line.partition("=") for line in block.splitlines())
        }
        if fields.get("Id"):
            shown[fields["Id"]] = {key: fields.get(key, "") for key in (*STATE, *WANTED["settings"])}
            shown[fields["Id"]]["process"] = process(fields.get("MainPID", "0"))
            shown[fields["Id"]]["names"] = fields.get("Names", "")
    return {
        "units": shown,
        "slots": {path: read(path) for path in glob.glob("/etc/systemd/system/slipway-*@*.service")},
        "former": former(),
        "all_units": sorted(names),
    }


def loaded(listing: str) -> set[str]:
    """The units in what `systemctl list-units` says: those that others name and no one has made are none."""
    rows = [line.split() for line in listing.splitlines() if line.split()]
    return {row[0] for row in rows if row[1:3] != ["not-found", "inactive"]}


def former() -> list[str]:
    """Paths of units in the slot that does not serve, written before the agent that is installed now was."""
    try:
        since = os.stat(AGENT).st_ctime
        serves = json.loads(read("/var/lib/slipway/state.json") or "{}").get("active")
        slots = glob.glob("/etc/systemd/system/slipway-*@*.service")
        return sorted(path for path in slots if f"@{serves}-" not in path and os.stat(path).st_ctime < since)
    except (OSError, ValueError):
        return []


AGENT = "/usr/local/lib/slipway/agent.tar"


STATE = (
    *(
        "LoadState",
        "ActiveState",
        "SubState",
        "UnitFileState",
        "NeedDaemonReload",
        "FragmentPath",
        "DropInPaths",
    ),
    *("Transient", "MainPID", "ConditionResult"),
)


def process(pid: str) -> str:
    """What the kernel says of a process' privileges: `NoNewPrivs: 1`, one a line."""
    kept = ("Uid", "NoNewPrivs", "Seccomp:", "CapEff", "CapBnd", "Umask")
    if pid == "0":
        return ""
    lines = [line for line in read(f"/proc/{pid}/status").splitlines() if line.startswith(kept)]
    limits = re.findall(
        r"^(Max open files|Max core file size)\s+(\S+)", read(f"/proc/{pid}/limits"), re.MULTILINE
    )
    score = read(f"/proc/{pid}/oom_score_adj").strip()
    return "\n".join([*lines, *(f"{name}: {value}" for name, value in limits), f"OOM score: {score}"])


def strangers(owned: set[str]) -> list[str]:
    """Programs that run here, and that neither a package nor the inventory nor a release has placed."""
    found: set[str] = set()
    for process in glob.glob("/proc/[0-9]*"):
        try:
            path = os.readlink(f"{process}/exe")
            # An app that was released as an image has a root of its own.
            if not os.path.samefile(f"{process}/root", "/") and "/slipway-" in read(f"{process}/cgroup"):
                continue
        except OSError:
            continue  # a thread of the kernel, or a process that has ended
        name = path.removesuffix(" (deleted)")
        if name not in owned and name not in WANTED["known"] and not name.startswith("/srv/slipway/"):
            found.add(path)
    return sorted(found)


# The system: kernel, journal, packages, disks.


def system() -> dict[str, object]:
    status = read("/var/lib/dpkg/status")
    held = re.findall(r"^Package: (\S+)\nStatus: hold ", status, re.MULTILINE)
    installed = set(re.findall(r"^Package: (\S+)\nStatus: \S+ ok installed", status, re.MULTILINE))
    container = run("systemd-detect-virt", "--container").strip()
    return {
        "kernel": {
            key: " ".join(read("/proc/sys/" + key.replace(".", "/")).split()) for key in WANTED["kernel"]
        },
        "container": container if container != "none" else "",
        "held": held,
        "missing": sorted(set(WANTED["packages"]) - installed),
        "journald": run("systemd-analyze", "cat-config", "systemd/journald.conf"),
        "journal_folder": os.path.isdir(f"/var/log/journal/{read('/etc/machine-id').strip()}"),
        "journal_bytes": usage("/var/log/journal"),
        "disks": disks(),
        "environment": [line for line in read("/etc/environment").splitlines() if line.strip()],
        **(haproxy() if os.path.exists(HAPROXY) else {"haproxy": {}}),
    }


def usage(folder: str) -> int:
    total = 0
    for at, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(f"{at}/{name}").st_blocks * 512
            except OSError:
                continue
    return total


def disks() -> dict[str, list[int]]:
    """By mount point, how much is left in percent: of space, and of inodes (-1: it counts none)."""
    found: dict[str, list[int]] = {}
    for mount in mounts():
        if OTHER_FILE_SYSTEMS.fullmatch(mount["type"]) or not os.path.isdir(mount["at"]):
            continue
        try:
            seen = os.statvfs(mount["at"])
        except OSError:
            continue
        if seen.f_blocks and not seen.f_flag & os.ST_RDONLY:
            usable = seen.f_blocks - seen.f_bfree + seen.f_bavail
            inodes = 100 * seen.f_favail // seen.f_files if seen.f_files else -1
            found[mount["at"]] = [100 * seen.f_bavail // max(usable, 1), inodes]
    return found


HAPROXY = "/run/haproxy/admin.sock"


def haproxy() -> dict[str, object]:
    """What the running HAProxy says of its limits and servers, over its own socket."""
    info: dict[str, str] = {
        key: value for key, _, value in (line.partition(": ") for line in answer_to("show info").splitlines())
    }
    rows = [line.split(",") for line in answer_to("show stat -1 1 -1").splitlines()]
    places: dict[str, int] = {name.lstrip("# "): at for at, name in enumerate(rows[0] if rows else ())}
    servers = [line.split() for line in answer_to("show servers state").splitlines()[2:]]
    return {
        "haproxy": {
            key: info.get(key, "")
            for key in (
                *("Maxconn", "Hard_maxconn", "Ulimit-n"),
                *("ConnRateLimit", "SessRateLimit", "SslRateLimit"),
            )
        }
        if info
        else {},
        "haproxy_frontends": {
            row[places["pxname"]]: [row[places["status"]], row[places["slim"]]]
            for row in rows[1:]
            if len(row) > places["status"]
        },
        # Columns 1, 3, 4 and 18: backend, server, address, port; 7 and 8: its weight, now and at the start.
        "haproxy_servers": {
            f"{row[1]}/{row[3]}": [f"{row[4]}:{row[18]}", row[7], row[8]] for row in servers if len(row) > 18
        },
    }


def answer_to(command: str) -> str:
    with socket.socket(socket.AF_UNIX) as talk:
        talk.settimeout(3)
        try:
            talk.connect(HAPROXY)
            talk.sendall(f"{command}\n".encode())
            return b"".join(iter(lambda: talk.recv(65536), b"")).decode()
        except OSError:
            return ""


if __name__ == "__main__":
    main()

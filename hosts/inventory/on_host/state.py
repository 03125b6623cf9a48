"""Runs on a host, as root: prints as JSON what is there. Standard library only; changes nothing.

It comes on standard input, with `files.py` in front of it, so that a host cannot answer with a program of its
own.
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


# Ports, mounts, packet filter, authorities.


def network() -> dict[str, object]:
    listening: list[list[str]] = []
    for line in run("ss", "-Hlntupe").splitlines():
        words = line.split()
        if len(words) >= 5 and words[0] in ("tcp", "udp"):
            address, _, port = words[4].rpartition(":")
            user = re.search(r'\("([^"]+)"', line)
            uid = re.search(r"\buid:(\d+)", line)
            by = [user[1] if user else "", uid[1] if uid else "0"]
            listening.append([words[0], address.partition("%")[0].strip("[]"), port, *by])
    tables = [line.removeprefix("table ").strip() for line in run("nft", "list", "tables").splitlines()]
    rules = "/etc/slipway/firewall.nft"
    alone = ("unshare", "--net", "sh", "-c", f"nft -f {rules} && nft -s list table inet slipway")
    return {
        "listening": listening,
        "firewall": run("nft", "-s", "list", "table", "inet", "slipway"),
        "firewall_file": run(*alone),
        "tables": {
            name: run("nft", "-s", "list", "table", *name.split())
            for name in tables
            if name != "inet slipway"
        },
        "mounts": mounts(),
        "authorities": authorities(),
    }


def authorities() -> list[str]:
    """Digests of the trusted authorities that Debian does not bring."""
    bodies = re.compile(r"-----BEGIN CERTIFICATE-----\s+([A-Za-z0-9+/=\s]+?)-----END")
    known: dict[str, str] = {}
    for path in glob.glob("/usr/share/ca-certificates/**/*.crt", recursive=True):
        known.update({"".join(body.split()): path for body in bodies.findall(read(path))})
    found = {"".join(body.split()) for body in bodies.findall(read("/etc/ssl/certs/ca-certificates.crt"))}
    for path in {os.path.realpath(path) for path in glob.glob("/etc/ssl/certs/*")}:
        # The snake oil certificate is its package's, and signs nothing.
        if not path.startswith("/usr/share/ca-certificates/") and not path.endswith("/ssl-cert-snakeoil.pem"):
            found |= {"".join(body.split()) for body in bodies.findall(read(path))}
    return sorted(hashlib.sha256(body.encode()).hexdigest() for body in found - set(known))


# Units, and the settings under which they run.


def units() -> dict[str, object]:
    listed = run(
        "systemctl", "list-units", "--all", "--plain", "--no-legend", "--type=service,timer,socket,path"
    )
    names = {line.split()[0] for line in listed.splitlines() if line.split()}
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
    return "\n".join([*lines, *(f"{name}: {value}" for name, value in limits)])


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
        "haproxy": haproxy() if os.path.exists("/run/haproxy/admin.sock") else {},
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


def haproxy() -> dict[str, str]:
    """What the running HAProxy says of its limits, over its own socket."""
    with socket.socket(socket.AF_UNIX) as talk:
        talk.settimeout(3)
        try:
            talk.connect("/run/haproxy/admin.sock")
            talk.sendall(b"show info\n")
            text = b"".join(iter(lambda: talk.recv(65536), b"")).decode()
        except OSError:
            return {}
    found: dict[str, str] = {
        key: value for key, _, value in (line.partition(": ") for line in text.splitlines())
    }
    return {
        key: found.get(key, "")
        for key in ("Maxconn", "Hard_maxconn", "Ulimit-n", "ConnRateLimit", "SessRateLimit")
    }


if __name__ == "__main__":
    main()

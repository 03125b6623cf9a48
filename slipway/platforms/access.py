"""Whose keys sign in to the hosts of a stack: kept in its secret store, and placed on every host at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from hosts.access import FOLDER, GATE, authorized_keys, file_of
from hosts.plan import FleetPlan
from slipway.fleet.fleet import Fleet, FleetError, FleetHost
from slipway.progress import Progress
from slipway.secrets.store import SecretStore
from slipway.settings import BadInput, NeedsPerson
from slipway.settings.access import ACCESS, Grant, grants, written

SECONDS = 60
# Runs as root: writes files, takes keys out of the user's own files, ends sessions; says what was there.
_PLACE = r"""
import base64, hashlib, json, os, pwd, re, signal, subprocess, sys
asked, before = json.load(sys.stdin), {}
os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"

def said(*argv):
    return subprocess.run(argv, capture_output=True, text=True, errors="replace").stdout

def put(path, text):
    there = open(path).read() if os.path.exists(path) else None
    if there == text:
        return
    before[path] = there
    if text is None:
        return os.unlink(path)
    old = os.stat(path) if there is not None else None
    new = os.open(path + ".slipway-new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(new, "w") as file:
        file.write(text)
    os.chown(path + ".slipway-new", *((old.st_uid, old.st_gid) if old else (0, 0)))
    os.chmod(path + ".slipway-new", old.st_mode & 0o7777 if old else 0o644)
    os.replace(path + ".slipway-new", path)

def fingerprint(line):
    found = re.search(r"(?:^|\s)(?:ssh-|ecdsa-|sk-)\S+\s+([A-Za-z0-9+/=]{40,})", line)
    raw = base64.b64decode(found[1] + "==") if found else b""
    return "SHA256:" + base64.b64encode(hashlib.sha256(raw).digest()).decode().rstrip("=")

def sessions(keys):
    ticks, booted = os.sysconf("SC_CLK_TCK"), int(re.search(r"btime (\d+)", open("/proc/stat").read())[1])
    for line in said("journalctl", "-q", "-o", "json", "-t", "sshd", "-t", "sshd-session").splitlines():
        entry = json.loads(line)
        text, pid = str(entry.get("MESSAGE", "")), str(entry.get("_PID", ""))
        if not text.startswith("Accepted publickey for ") or text.rsplit(" ", 1)[-1] not in keys:
            continue
        try:
            stat = open(f"/proc/{pid}/stat").read()
            name, rest = re.fullmatch(r"\d+ \((.*)\) (.*)\n?", stat, re.S).groups()
        except (OSError, AttributeError):
            continue
        began = booted + int(rest.split()[19]) / ticks
        # Another process may have the number by now.
        if name in ("sshd", "sshd-session") and began <= int(entry["__REALTIME_TIMESTAMP"]) / 1e6 + 2:
            yield int(pid)

reads = asked["folder"] in said("sshd", "-T") and os.path.exists(asked["gate"])
if reads or not asked["needs"]:
    home = pwd.getpwnam(asked["user"]).pw_dir
    for path, text in asked["files"].items():
        if text is None or os.path.isdir(os.path.dirname(path)):
            put(path, text)
    for own in (f"{home}/.ssh/authorized_keys", f"{home}/.ssh/authorized_keys2"):
        if asked["drop"] and os.path.exists(own):
            lines = open(own).read().splitlines(keepends=True)
            put(own, "".join(line for line in lines if fingerprint(line) not in asked["drop"]))
ended = 0
for pid in sessions(asked["end"]) if asked["end"] else ():
    for each in [pid, *map(int, said("pgrep", "-P", str(pid), "sshd").split())]:
        try:
            os.kill(each, signal.SIGTERM)
            ended += each == pid
        except OSError:
            pass
print(json.dumps({"reads": reads, "before": before, "ended": ended}))
"""


class Access:
    """The keys that people and CI jobs sign in with, beside those that came with the hosts."""

    def __init__(self, store: SecretStore, plan: Callable[[Mapping[str, str]], FleetPlan]) -> None:
        self._store, self._plan = store, plan

    def granted(self) -> tuple[Grant, ...]:
        """Every grant, by name; also those that are over."""
        return grants(self._store.read())

    def grant(self, grant: Grant, progress: Progress) -> None:
        """Let a key in on every host; in the ssh user's own file it no longer stands.

        BadInput: the name or the key is granted already, or a host was set up by an older slipway.
        """
        now = self.granted()
        for each in now:
            if grant.name == each.name or grant.fingerprint == each.fingerprint:
                raise BadInput(
                    f"{each.name} ({each.kind}) has {each.fingerprint} already",
                    remedy=f"slipway access revoke {each.name}, then grant again",
                )
        self._change((*now, grant), {grant.fingerprint}, progress, needs=True)

    def revoke(self, which: str, progress: Progress) -> int:
        """Remove a key, by its name or fingerprint, from every host, and end its sessions; how many.

        A fingerprint may be that of a key that was never granted. BadInput: no such name, or hosts would no
        longer let this person in. NeedsPerson: a host did not answer and still takes the key.
        """
        now = self.granted()
        gone = {each.fingerprint for each in now if which in (each.name, each.fingerprint)}
        if not gone and not which.startswith("SHA256:"):
            names = ", ".join(each.name for each in now)
            raise BadInput(f"no key is granted to {which}", remedy=f"granted: {names or 'none'}; or SHA256:…")
        gone = gone or {which}
        left = tuple(each for each in now if each.fingerprint not in gone)
        return self._change(left, gone, progress, ended=gone)

    def _change(
        self,
        wanted: tuple[Grant, ...],
        dropped: set[str],
        progress: Progress,
        *,
        ended: set[str] | None = None,
        needs: bool = False,
    ) -> int:
        """One host first: if it does not let this person in any more, all is as before."""
        secrets = {**self._store.read(), ACCESS: written(wanted)}
        plan = self._plan(secrets)
        fleet = Fleet(plan.outputs)
        first, *others = fleet.hosts

        def place(host: FleetHost, **other: object) -> dict[str, Any]:
            files = {file_of(host.facts): authorized_keys(plan, host.facts)}
            return _place(host, {"files": files, "drop": sorted(dropped), "needs": needs, **other})

        placed = place(first)
        if needs and not placed["reads"]:
            raise BadInput(
                f"{first.name} was set up by a slipway that grants no keys",
                remedy=f"slipway up --stack {plan.stack.name}, then again",
            )
        if not first.connection.accepts_key():
            _place(first, {"files": placed["before"], "drop": [], "needs": False})
            raise BadInput(
                f"{first.name} would not let you in any more: it is your own key; nothing was changed",
                remedy="grant yourself another key first, and work with it",
            )
        if wanted:
            self._store.update({ACCESS: secrets[ACCESS]})
        elif ACCESS in self._store.names():
            self._store.unset(ACCESS)  # an empty list would count as a secret that can be guessed
        progress.host(first.name, "keys placed")

        def finish(host: FleetHost) -> int:
            answer = place(host, end=sorted(ended or ()))
            progress.host(host.name, "keys placed")
            return answer["ended"]

        try:
            return sum(fleet.each([first, *others], finish).values())
        except FleetError as failure:
            raise NeedsPerson(
                f"the keys of {', '.join(failure.failures)} are as before",
                details=list(failure.details),
                remedy="slipway up places them once the host answers; "
                f"after a revoke also slipway access revoke {' '.join(sorted(dropped))}",
            ) from None


def _place(host: FleetHost, asked: Mapping[str, object]) -> dict[str, Any]:
    request: dict[str, object] = {
        "user": host.facts.ssh_user,
        "folder": FOLDER,
        "gate": GATE,
        "end": (),
        **asked,
    }
    done = host.connection.run(
        ["/usr/bin/python3", "-I", "-c", _PLACE], json.dumps(request).encode(), timeout=SECONDS
    )
    if done.code != 0:
        raise NeedsPerson(
            f"{host.name}: its keys could not be changed", details=done.stderr.splitlines()[-3:]
        )
    return json.loads(done.stdout)

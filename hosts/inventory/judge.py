"""Compares what is on a host with its inventory. Pure: facts of `survey.py` in, deviations out."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from hosts.agent.preview_record import PreviewPaths
from hosts.agent.retire import TIMER_FILES
from hosts.inventory import hardening, names, reach
from hosts.inventory.on_host.files import WATCHED
from hosts.inventory.parts import FOREIGN, Deviation, Inventory, Severity, Topic
from hosts.inventory.places import (
    ANYONES,
    GENERATED,
    MODES,
    PRIVILEGED,
    PROGRAMS_OF_PACKAGES,
    PROVIDED,
    PROVIDED_SETTINGS,
)
from hosts.inventory.released import Released

UNITS = "/etc/systemd/system"
KEPT = re.compile(
    r"/etc/slipway/env/(blue|green)/[a-z0-9-]+\.env"
    r"|/etc/systemd/system/slipway-cron-[a-z0-9-]+\.(service|timer)"
    r"|/etc/systemd/system/slipway-[a-z0-9-]+@(blue|green)-\d+\.service"
    r"|/etc/systemd/system/slipway-retire\.(service|timer)"
    r"|/run/systemd/transient/(session-\w+\.scope|slipway-(run|handover)-[\d-]+\.service)"
)
"""What the agent and systemd write while a host works; what is in it is examined separately."""
PREVIEW = re.compile(r"/etc/systemd/system/slipway-pv\d+-[a-z0-9-]+@[a-z0-9-]+-1\.service")
"""What it writes beside that where previews are carried."""
TOPICS: tuple[tuple[str, Topic], ...] = (
    ("/etc/sudoers", "sudo"),
    ("/etc/ssh/", "ssh"),
    ("/usr/local/share/ca-certificates", "authority"),
    ("/run/systemd/journald.conf.d", "journal"),
    ("/etc/systemd/journald.conf.d", "journal"),
    ("/etc/sysctl.d", "kernel"),
    ("/run/sysctl.d", "kernel"),
    ("/etc/apt/", "package"),
    ("/etc/slipway", "file"),
    ("/etc/haproxy", "file"),
    ("/etc/redis", "file"),
    ("/etc/pgbouncer", "file"),
    ("/usr/local/", "program"),
    ("/usr/share/keyrings", "package"),
    ("/usr/", "program"),
    ("/etc/alternatives", "program"),
)
"""What a file that does not belong is about, by the beginning of its path; else it starts something."""
FREE_PERCENT = 10
"""Least that every disk has left, of space and of inodes."""
UNSIGNED = re.compile(r"(trusted|allow-insecure)\s*[=:]\s*yes", re.IGNORECASE)
DENYING = re.compile(
    r"pam_(exec|script|python)|^\s*auth\s+(sufficient|\[[^\]]*success=(ok|done)[^\]]*\])\s+pam_permit", re.M
)


def deviations(
    inventory: Inventory, facts: Mapping[str, Any], released: Released | None = None
) -> list[Deviation]:
    """Everything on the host that differs from `inventory`, or does not belong there.

    `released`: what the app's releases may have left; None: anything that looks like it.
    """
    found = [
        *_files(inventory, facts),
        *_foreign(inventory, facts, released.names if released else None),
        *_units(inventory, facts),
        *_system(inventory, facts),
        *reach.accounts(inventory, facts),
        *reach.signing_in(inventory, facts),
        *reach.network(inventory, facts),
        *names.lookups(inventory, facts),
        *names.routes(inventory, facts),
        *hardening.services(inventory, facts, released),
    ]
    return sorted(found, key=lambda each: (each.topic, each.what, each.found))


def _files(inventory: Inventory, facts: Mapping[str, Any]) -> Iterator[Deviation]:
    here, there = inventory.host, facts["files"]
    for path, placed in (*inventory.files.items(), *inventory.folders.items()):
        is_there = there.get(path)
        severity: Severity = (
            "high" if path.startswith(("/etc/ssh", "/etc/slipway", "/etc/haproxy")) else "medium"
        )
        if is_there is None:
            # What the platform adds at will, or releases have not made yet, may be absent.
            if placed.mode or placed.sha256:
                yield Deviation(
                    here, "file", path, "there", "missing", severity, repaired=True, files=(path,)
                )
            continue
        if placed.sha256 and is_there.get("sha256") != placed.sha256:
            yield Deviation(
                here, "file", path, "as set up", "other content", severity, repaired=True, files=(path,)
            )
        for kind in ("mode", "user", "group"):
            was, now = getattr(placed, kind), is_there.get(kind, "")
            if was and was != now:
                yield Deviation(here, "mode", path, f"{kind} {was}", f"{kind} {now}", "high", repaired=True)
    for path, most in MODES.items():
        is_there = there.get(path)
        if is_there is None or path in inventory.files or path in inventory.folders:
            continue
        if int(is_there["mode"], 8) & ~int(most, 8) or is_there["user"] != "root":
            seen = f"mode {is_there['mode']} of {is_there['user']}"
            yield Deviation(here, "mode", path, f"at most {most} of root", seen)
    for path in facts["loose"]:
        yield Deviation(here, "mode", path, "not writable by all", "writable by every account")
    for path in facts["changed"]:
        topic: Topic = "program" if re.match(r"/(usr|s?bin|lib)", path) else _topic(path)
        if inventory.image_is_known or not PROVIDED_SETTINGS.match(path):
            yield Deviation(here, topic, path, "as its Debian package brought it", "other content")


def _foreign(
    inventory: Inventory, facts: Mapping[str, Any], processes: Collection[str] | None
) -> Iterator[Deviation]:
    here = inventory.host
    for path, seen in facts["foreign"].items():
        yield from _content(here, path, hardening.text_of(seen))
        if not (_is_kept(inventory, path) and _is_released(path, processes)) and not _is_known(
            path, seen, provided=not inventory.image_is_known
        ):
            found = f"a link to {seen['target']}" if seen and seen["kind"] == "link" else ""
            yield Deviation(here, _topic(path), path, FOREIGN, found)
    for name in facts["all_units"]:
        made = f"{UNITS}/{name}"
        known = _is_kept(inventory, made) or KEPT.fullmatch(f"/run/systemd/transient/{name}")
        if name.startswith("slipway-") and not (known or name in inventory.units or made in inventory.files):
            yield Deviation(here, "startup", name, FOREIGN, "a unit that is loaded")
        elif KEPT.fullmatch(made) and not _is_released(made, processes):
            yield Deviation(here, "startup", name, FOREIGN, "a unit of no process of a release")
    for line in facts["environment"]:
        if re.match(r"\s*(export\s+)?(LD_|PYTHON|NODE_OPTIONS|BASH_ENV)", line):
            name = line.partition("=")[0].strip()
            yield Deviation(here, "startup", "/etc/environment", FOREIGN, f"sets {name}")
    for path in facts["strangers"]:
        if inventory.image_is_known or ANYONES.match(path) or path.endswith("(deleted)"):
            yield Deviation(here, "program", path, FOREIGN, "a process runs it")
    for path, special in facts["privileged"].items():
        if not PRIVILEGED.fullmatch(path) or special.endswith("of no package"):
            yield Deviation(here, "privilege", path, FOREIGN, special)


def _content(here: str, path: str, text: str) -> Iterator[Deviation]:
    """What is wrong in a file that may be there, but with a certain content only."""
    name = path.rpartition("/")[2]
    if path.startswith("/etc/pam.d/") and DENYING.search(text):
        found = "runs a program at sign-in, or lets everyone in"
        yield Deviation(here, "startup", path, "as Debian writes it", found)
    if re.fullmatch(r"/etc/postgresql/\d+/main/(environment|pg_ctl\.conf)", path):
        lines = {line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")}
        if strange := sorted(lines - {"pg_ctl_options = ''"}):
            found = f"sets {strange[0].partition('=')[0].strip()}"
            yield Deviation(here, "startup", path, "as Debian writes it", found)
    if path.startswith("/etc/apt/sources.list") and UNSIGNED.search(text):
        yield Deviation(here, "package", path, "signed packages", "takes packages without a signature")
    if path == f"{UNITS}/{name}" and name in TIMER_FILES and text != TIMER_FILES[name]:
        yield Deviation(here, "startup", path, "as the agent writes it", "other content")
    if cron := re.fullmatch(rf"{UNITS}/slipway-cron-([a-z0-9-]+)\.service", path):
        commands = re.findall(r"^\s*Exec\w+\s*=(.*)$", text, re.MULTILINE)
        if commands != [f"/usr/local/bin/slipway-agent cron {cron[1]}"]:
            yield Deviation(here, "startup", path, "as the agent writes it", "runs another command")


def _is_kept(inventory: Inventory, path: str) -> bool:
    carries = PreviewPaths().sites_map in inventory.files
    return bool(KEPT.fullmatch(path) or (carries and PREVIEW.fullmatch(path)))


def _is_released(path: str, processes: Collection[str] | None) -> bool:
    name = re.search(r"/slipway-([a-z0-9-]+?)(?:@(?:blue|green)-\d+)?\.\w+$", path)
    return (
        processes is None
        or name is None
        or name[1] in processes
        or name[1] == "retire"
        or "/transient/" in path
    )


def _is_known(path: str, seen: Mapping[str, str] | None, *, provided: bool) -> bool:
    """Whether the path may be there; `provided`: a provider's image may have brought it."""
    if seen is None:
        return True  # it went while it was looked at
    if seen["kind"] == "link" and path.startswith("/etc/systemd/"):
        return seen.get("target") == "/dev/null"
    if provided and (PROVIDED.fullmatch(path) or not _is_watched(path)):
        return True
    return bool(GENERATED.fullmatch(path))


def _is_watched(path: str) -> bool:
    """Whether everything there must belong, whatever image the machine began with."""
    if path.startswith(("/etc/", "/usr/")):
        return path.startswith(WATCHED) or bool(PROGRAMS_OF_PACKAGES.match(path))
    return True


def _topic(path: str) -> Topic:
    for start, topic in TOPICS:
        if path.startswith(start):
            return topic
    return "startup"


def _units(inventory: Inventory, facts: Mapping[str, Any]) -> Iterator[Deviation]:
    here = inventory.host
    for name, wanted in inventory.units.items():
        seen = facts["units"].get(name) or next(
            (each for each in facts["units"].values() if name in each["names"].split()), None
        )
        if seen is None or seen["LoadState"] in ("not-found", "masked"):
            if wanted.active or wanted.enabled:
                found = seen["LoadState"] if seen else "missing"
                yield Deviation(here, "unit", name, "there", found, repaired=found != "masked")
            continue
        enabled = seen["UnitFileState"] in ("enabled", "static", "indirect", "generated", "alias")
        if wanted.enabled is not None and enabled is not wanted.enabled:
            was = "starts at boot" if wanted.enabled else "does not start at boot"
            yield Deviation(here, "unit", name, was, seen["UnitFileState"] or "not enabled", repaired=True)
        if wanted.active and seen["ActiveState"] not in ("active", "activating", "reloading"):
            yield Deviation(here, "unit", name, "runs", seen["ActiveState"], repaired=True)
        if seen["NeedDaemonReload"] == "yes":
            files = tuple(path for path in inventory.files if f"/{name}" in path)
            yield Deviation(
                here, "unit", name, "as loaded", "its file was changed", "medium", repaired=True, files=files
            )


def _system(inventory: Inventory, facts: Mapping[str, Any]) -> Iterator[Deviation]:
    here = inventory.host
    # A container shares its machine's kernel; address randomisation is the one setting that it depends on.
    kernel = {"kernel.randomize_va_space": "2"} | ({} if facts["container"] else inventory.kernel)
    for key, wanted in kernel.items():
        now = facts["kernel"].get(key, "")
        if now and now != wanted:
            yield Deviation(
                here,
                "kernel",
                key,
                wanted,
                now,
                "medium",
                repaired=key in inventory.kernel,
                files=_of(inventory, "sysctl"),
            )
    for at, (space, inodes) in facts["disks"].items():
        for kind, left in (("space", space), ("inodes", inodes)):
            if 0 <= left < FREE_PERCENT:
                yield Deviation(
                    here, "disk", at, f"{FREE_PERCENT} % free", f"has {left} % of its {kind} left"
                )
    for name in facts["missing"]:
        yield Deviation(here, "package", name, "installed", "not installed", repaired=True)
    for name in facts["held"]:
        yield Deviation(here, "package", name, "not held", "held: it gets no updates", "medium")
    journal = _last(facts["journald"])
    for key, wanted in inventory.journal.items():
        if journal.get(key) != wanted:
            yield Deviation(here, "journal", key, wanted, journal.get(key) or "not set", "medium")
    if not facts["journal_folder"]:
        yield Deviation(
            here, "journal", "/var/log/journal", "there", "journald writes to memory only", "medium",
            repaired=True, files=_of(inventory, "journald"),
        )  # fmt: skip
    limit = _bytes(inventory.journal.get("SystemMaxUse", ""))
    if limit and facts["journal_bytes"] > limit * 1.25:
        megabytes = facts["journal_bytes"] >> 20
        yield Deviation(
            here,
            "journal",
            "/var/log/journal",
            inventory.journal["SystemMaxUse"],
            f"{megabytes} MB",
            "medium",
        )


def _of(inventory: Inventory, part: str) -> tuple[str, ...]:
    return tuple(path for path in inventory.files if part in path)


def _last(settings: str) -> dict[str, str]:
    """The value that counts of each setting: the last one."""
    lines = [line.strip() for line in settings.splitlines()]
    pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith(("#", ";")))
    return {key.strip(): value.strip() for key, _, value in pairs}


def _bytes(said: str) -> int:
    number = re.fullmatch(r"(\d+)([KMGT]?)", said)
    return int(number[1]) << 10 * " KMGT".index(number[2] or " ") if number else 0

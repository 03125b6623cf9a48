"""Under which restrictions services run, setting by setting, against the units that the kit writes. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from hosts.agent.accounts import account
from hosts.agent.units import IMAGE_SANDBOX, SANDBOX
from hosts.inventory.parts import FOREIGN, Deviation, Inventory
from hosts.inventory.released import Released

PLAIN = (
    *("NoNewPrivileges", "ProtectSystem", "ProtectHome", "PrivateTmp", "PrivateDevices", "DevicePolicy"),
    *("PrivateMounts", "ProtectProc", "ProtectClock", "ProtectHostname", "ProtectKernelTunables"),
    *("ProtectKernelModules", "ProtectKernelLogs", "ProtectControlGroups", "RestrictRealtime"),
    *("RestrictSUIDSGID", "LockPersonality", "RemoveIPC", "KeyringMode", "UMask", "LimitCORE", "LimitNOFILE"),
    *(
        "TasksMax",
        "OOMScoreAdjust",
        "MemoryDenyWriteExecute",
        "User",
        "Group",
        "Restart",
        "CapabilityBoundingSet",
    ),
    *("AmbientCapabilities", "SystemCallArchitectures", "RestrictNamespaces"),
)
"""Settings that `systemctl show` prints as the unit file has them."""
SETS = ("RestrictAddressFamilies", "ReadWritePaths", "IPAddressDeny")
SETTINGS = (*PLAIN, *SETS, "SystemCallFilter", "MemoryMax", "TimeoutStopUSec", "LogRateLimitIntervalUSec")
"""What is read of each service."""
RISKY = frozenset(
    {
        *("mount", "umount2", "pivot_root", "chroot", "ptrace", "bpf", "kexec_load", "init_module"),
        *("finit_module", "delete_module", "reboot", "swapon", "swapoff", "open_by_handle_at", "iopl"),
        *("ioperm", "acct", "settimeofday", "clock_settime"),
    }
)
"""System calls that no process of an app may make; @system-service without @privileged has none of them."""
WRITTEN = {
    *("Type", "User", "Group", "WorkingDirectory", "EnvironmentFile", "Environment", "ExecStart"),
    *(
        "SyslogIdentifier",
        "Restart",
        "RestartSec",
        "KillMode",
        "KillSignal",
        "TimeoutStopSec",
        "SuccessExitStatus",
    ),
    *("MemoryMax", "RuntimeDirectory", "CacheDirectory", "CacheDirectoryMode"),
    *("RootDirectory", "MountAPIVFS", "TemporaryFileSystem", "BindReadOnlyPaths"),
}
"""Settings that the agent writes into a unit beside the sandbox."""
_PROCESS = {"NoNewPrivs": "1", "Seccomp": "2", "CapEff": "0" * 16, "CapBnd": "0" * 16, "Umask": "0077"}
"""What the kernel must say of a process of the app."""


def services(
    inventory: Inventory, facts: Mapping[str, Any], released: Released | None
) -> Iterator[Deviation]:
    """Every setting of every service that differs from what its unit is meant to have."""
    here = inventory.host
    yield from _slots(here, facts, released)
    for name, seen in facts["units"].items():
        is_app = re.fullmatch(r"slipway-[a-z0-9-]+@(blue|green)-\d+\.service", name)
        if is_app and seen["ActiveState"] == "active" and seen["FragmentPath"] not in facts["slots"]:
            yield Deviation(here, "hardening", name, "the agent's unit", "a unit without any restriction")
        if name in inventory.settings:
            yield from _compared(here, name, inventory.settings[name], seen)
        drop_ins = [path for path in seen["DropInPaths"].split() if path not in inventory.files]
        for path in drop_ins:
            if path.startswith(("/etc/", "/run/")):
                keys = settings_of(text_of(facts["foreign"].get(path)))
                yield Deviation(
                    here,
                    "hardening",
                    f"{name} {path}",
                    "no such drop-in",
                    f"sets {', '.join(keys) or 'something'}",
                )
        if seen["NeedDaemonReload"] == "yes" and name.startswith("slipway-"):
            yield Deviation(
                here, "hardening", name, "as loaded", "its file was changed since systemd read it"
            )
    yield from _haproxy(inventory, facts)


def _slots(here: str, facts: Mapping[str, Any], released: Released | None) -> Iterator[Deviation]:
    """The units of the app's processes, in both slots.

    After an upgrade of slipway, the slot that does not serve has units of the former agent until it gets a
    release: these must run as they are written, and their processes without privileges.
    """
    for path, text in facts["slots"].items():
        is_former = path in facts["former"]
        name = path.rpartition("/")[2]
        user = account(name.removeprefix("slipway-").partition("@")[0])
        written = settings_of(text.partition("[Service]")[2])
        sandbox = settings_of(IMAGE_SANDBOX if "RootDirectory" in written else SANDBOX)
        wanted = {
            **{key: value for key, value in written.items() if key in WRITTEN},
            **sandbox,
            "User": user,
            "Group": user,
        }
        if is_former:
            sandbox = {key: value for key, value in written.items() if key not in WRITTEN}
            wanted = written
        for key, value in sandbox.items():
            if written.get(key) != value:
                yield Deviation(here, "hardening", f"{name} {key}", value, written.get(key, "not set"))
        seen = facts["units"].get(name)
        # A release that was undone leaves its units in the idle slot, and they do not run.
        runs = seen is not None and seen["ActiveState"] == "active"
        if released and runs and not is_former and text not in released.units.get(path, {text}):
            yield Deviation(
                here, "hardening", f"{name} file", "as its release's", _strange(text, released, path)
            )
        for key in sorted(written.keys() - WRITTEN - sandbox.keys()):
            yield Deviation(here, "hardening", f"{name} {key}", "not set", written[key])
        if seen is None:
            continue
        yield from _compared(here, name, wanted, seen)
        if seen["process"]:
            yield from _process(here, name, user, seen)


def _strange(text: str, released: Released, path: str) -> str:
    """The names of the settings that differ from every release's; never a value."""
    lines = {line for each in released.units[path] for line in each.splitlines()}
    keys = {line.partition("=")[0] for line in text.splitlines() if line not in lines}
    return f"other {', '.join(sorted(keys))}" if keys else "with fewer settings"


def text_of(seen: Mapping[str, str] | None) -> str:
    """The text of a file that does not belong, if it was read."""
    return seen.get("text", "") if seen else ""


def settings_of(text: str) -> dict[str, str]:
    """`Key=value` lines; the values of a key that comes twice, one a line."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        key, is_setting, value = line.strip().partition("=")
        if is_setting and not key.startswith(("#", ";")):
            found[key] = f"{found[key]}\n{value}" if key in found else value
    return found


def _compared(
    here: str, name: str, wanted: Mapping[str, str], seen: Mapping[str, str]
) -> Iterator[Deviation]:
    for key, value in wanted.items():
        now = seen.get(key, "")
        if key in PLAIN:
            good = now == value
        elif key in SETS:
            good = set(now.split()) == set(value.split())
        elif key == "SystemCallFilter":
            allowed = set(now.split())
            now = f"allows {', '.join(sorted(allowed & RISKY))}" if allowed else "allows everything"
            good = bool(allowed) and not allowed & RISKY and not now.startswith("~")
        elif key == "MemoryMax":
            good = _bytes(now) == _bytes(value)
        elif key == "TimeoutStopSec":
            now = seen.get("TimeoutStopUSec", "")
            good = _seconds(now) >= _seconds(value)
        else:
            continue
        if not good:
            yield Deviation(
                here, "hardening", f"{name} {key}", value.replace("\n", " "), now or "not set", repaired=False
            )


def _process(here: str, name: str, user: str, seen: Mapping[str, str]) -> Iterator[Deviation]:
    lines = (line.partition(":") for line in seen["process"].splitlines())
    kernel = {key.strip(): value.split() for key, _, value in lines}
    # The score can be changed while it runs; it is its unit's otherwise.
    wanted_of = {**_PROCESS, "OOM score": seen.get("OOMScoreAdjust", "")}
    for key, wanted in wanted_of.items():
        now = " ".join(kernel.get(key, []))
        if now and wanted and now != wanted:
            yield Deviation(here, "hardening", f"process of {name} {key}", wanted, now)
    if "0" in kernel.get("Uid", []):
        yield Deviation(here, "hardening", f"process of {name}", f"runs as {user}", "runs as root")
    if (size := " ".join(kernel.get("Max core file size", ["0"]))) != "0":
        yield Deviation(here, "hardening", f"process of {name} core file", "0", size)


def _haproxy(inventory: Inventory, facts: Mapping[str, Any]) -> Iterator[Deviation]:
    here = inventory.host
    said: Mapping[str, str] = facts["haproxy"]
    if not said or not inventory.haproxy_connections:
        return
    if said["Maxconn"] != inventory.haproxy_connections:
        yield Deviation(
            here, "hardening", "HAProxy's maxconn", inventory.haproxy_connections, said["Maxconn"]
        )
    for key in ("ConnRateLimit", "SessRateLimit", "SslRateLimit"):
        if said[key] not in ("", "0"):
            yield Deviation(here, "hardening", f"HAProxy's {key}", "0", said[key])
    for name, limit in inventory.haproxy_frontends.items():
        # One without a limit of its own has the process', which was compared already.
        wanted = said["Maxconn"] if limit == inventory.haproxy_connections else limit
        status, most = facts["haproxy_frontends"].get(name, ("missing", wanted))
        if status not in ("OPEN", "STOP"):
            yield Deviation(here, "hardening", f"HAProxy's frontend {name}", "open", status.lower())
        if most != wanted:
            yield Deviation(here, "hardening", f"HAProxy's maxconn of {name}", wanted, most)
    for name, (address, weight, at_start) in facts["haproxy_servers"].items():
        wanted = inventory.haproxy_servers.get(name)
        if wanted is None:
            yield Deviation(here, "hardening", f"HAProxy's server {name}", FOREIGN, f"sends to {address}")
        elif wanted != address:
            yield Deviation(here, "hardening", f"HAProxy's server {name}", wanted, f"sends to {address}")
        elif weight != at_start:
            yield Deviation(here, "hardening", f"HAProxy's weight of {name}", at_start, weight)


def _bytes(said: str) -> float:
    number = re.fullmatch(r"(\d+)([KMGT]?)", said)
    return float(int(number[1]) << 10 * " KMGT".index(number[2] or " ")) if number else float("inf")


def _seconds(said: str) -> float:
    """systemd's `1min 30s`, or plain seconds."""
    if said.isdigit():
        return float(said)
    units = {"us": 1e-6, "ms": 1e-3, "s": 1, "min": 60, "h": 3600, "d": 86_400}
    parts = re.findall(r"([\d.]+)(us|ms|min|s|h|d)", said)
    return sum(float(number) * units[unit] for number, unit in parts) if parts else float("inf")

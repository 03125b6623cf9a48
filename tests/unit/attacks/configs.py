"""What a unit and a HAProxy configuration of ours may hold: every directive, and nothing beside."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

UNIT = {
    "Unit": {"Description", "After", "StartLimitIntervalSec"},
    "Timer": {"OnCalendar", "AccuracySec"},
    "Service": {
        "AmbientCapabilities", "CacheDirectory", "CacheDirectoryMode", "CapabilityBoundingSet",
        "DevicePolicy", "Environment", "EnvironmentFile", "ExecStart", "Group", "IPAddressDeny",
        "KeyringMode", "KillMode", "KillSignal", "LimitCORE",
        "LimitNOFILE", "LockPersonality", "MemoryMax", "NoNewPrivileges", "PrivateDevices", "PrivateMounts",
        "PrivateTmp", "ProtectClock", "ProtectControlGroups", "ProtectHome", "ProtectHostname",
        "ProtectKernelLogs", "ProtectKernelModules", "ProtectKernelTunables", "ProtectProc", "ProtectSystem",
        "RemoveIPC", "Restart", "RestartSec", "RestrictAddressFamilies", "RestrictNamespaces",
        "RestrictRealtime", "RestrictSUIDSGID", "RuntimeDirectory", "SuccessExitStatus", "SyslogIdentifier",
        "SystemCallArchitectures", "SystemCallErrorNumber", "SystemCallFilter", "TasksMax", "TimeoutStartSec",
        "TimeoutStopSec", "Type", "UMask", "User", "WorkingDirectory",
    },
}  # fmt: skip
SEVERAL = {"Environment", "SystemCallFilter"}

HAPROXY = {
    "global", "log", "chroot", "user", "group", "stats", "maxconn", "hard-stop-after", "close-spread-time",
    "mworker-max-reloads", "tune.bufsize", "tune.maxrewrite", "tune.http.logurilen",
    "tune.ssl.default-dh-param",
    "lua-load-per-thread", "ssl-default-bind-ciphers", "ssl-default-bind-ciphersuites",
    "ssl-default-bind-options", "ssl-default-server-options", "defaults", "mode", "option", "http-reuse",
    "retries", "retry-on", "timeout", "errorfile", "log-format", "frontend", "bind", "acl", "http-request",
    "http-response", "http-after-response", "http-check", "tcp-request", "use_backend", "default_backend",
    "backend", "balance", "hash-type", "cookie", "default-server", "server", "stick-table", "filter",
    ".if", ".else", ".endif", "setenv", "tune.h2.initial-window-size",
    "h2-workaround-bogus-websocket-clients",
}  # fmt: skip
"""First words. Among those that are not here: `program`, `external-check`, `lua-load`, `set-dumpable`."""


def foreign_in_unit(text: str) -> list[str]:
    """Lines of a unit file, as systemd reads it, that no unit of ours has."""
    wrong: list[str] = []
    section, seen = "", set[tuple[str, str]]()
    for line in re.split(r"[\n\r\0]", text):
        if not line:
            continue
        if line.startswith("["):
            section = line.strip("[]")
            wrong += [line] if section not in UNIT else []
            continue
        name, _, value = line.partition("=")
        twice = (section, name) in seen and name not in SEVERAL
        seen.add((section, name))
        fits = name in UNIT.get(section, ()) and not twice and not line.endswith("\\")
        if name in ("User", "Group"):
            fits = fits and re.fullmatch(r"app-[a-z][a-z0-9-]{0,26}", value) is not None
        if name == "WorkingDirectory":
            fits = fits and re.fullmatch(r"/srv/slipway/slots/(blue|green)(/[^%\"'\\]+)?", value) is not None
        if not fits:
            wrong.append(line)
    return wrong


def foreign_in_haproxy(text: str) -> list[str]:
    """Lines of a HAProxy configuration whose first word no configuration of ours has."""
    lines = [line.strip() for line in re.split(r"[\n\r\0]", text)]
    return [line for line in lines if line and not line.startswith("#") and line.split()[0] not in HAPROXY]


def systemd_refuses(folder: Path, units: dict[str, str]) -> str:
    """What `systemd-analyze verify` says about unit files of these names; empty if it takes every line."""
    paths = [folder / name for name in units]
    for path, text in zip(paths, units.values(), strict=True):
        # The user and the agent exist on hosts only.
        path.write_text(
            re.sub(r"^(User|Group)=app-.*$", "", text, flags=re.MULTILINE).replace(
                "/usr/local/bin/slipway-agent", "/bin/true"
            )
        )
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, paths)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    ours = [line for line in done.stderr.splitlines() if "slipway" in line]
    return "\n".join(ours) or (done.stderr if done.returncode else "")


HAS_SYSTEMD_ANALYZE = shutil.which("systemd-analyze") is not None

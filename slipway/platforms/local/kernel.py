"""What a machine's kernel must allow before it can carry many systemd hosts."""

from __future__ import annotations

from pathlib import Path

from slipway.progress import Progress

INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
INOTIFY_WANTED = 1024
"""A systemd host takes 7 to 10 of these, all of the same user; Linux gives 128; without, it exits."""

INOTIFY_REMEDY = f"sudo sysctl fs.inotify.max_user_instances={INOTIFY_WANTED}"


def raise_limits(progress: Progress, limit: Path = INOTIFY) -> None:
    """Raise the limit until the next reboot if it is low and we may; else say how."""
    try:
        if int(limit.read_text()) >= INOTIFY_WANTED:
            return
        limit.write_text(str(INOTIFY_WANTED))
    except PermissionError:
        progress.line(f"if hosts do not start: {INOTIFY_REMEDY}")
    except (OSError, ValueError):
        return
    else:
        progress.line(
            f"raised fs.inotify.max_user_instances to {INOTIFY_WANTED}: each host's systemd takes some"
        )

#!/usr/bin/python3 -I
"""slipway-backup [kind]: dumps the database, verifies that the dump can be read, and prints its path.

Prints {"file", "bytes", "seconds", "tables"}. Keeps the newest `keep` of each kind (`daily`, `release`, …).
Exit 1 with the reason on standard error; an incomplete dump never gets its final name.
"""

import fcntl
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

SETTINGS = Path("/etc/slipway/backup.json")


def main():
    """One backup."""
    kind = sys.argv[1] if len(sys.argv) > 1 else "manual"
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,30}", kind):
        sys.exit(f"a kind of backup is a word like daily, not {kind!r}")
    settings = json.loads(SETTINGS.read_text())
    folder = Path(settings["folder"])
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        started = time.monotonic()
        file, tables = dump(settings["database"], folder, kind)
        prune(folder, settings["database"], kind, settings["keep"])
    seconds = round(time.monotonic() - started, 2)
    print(json.dumps({"file": str(file), "bytes": file.stat().st_size, "seconds": seconds, "tables": tables}))


def dump(database, folder, kind):
    """(final path, number of tables with data)."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    final = folder / f"{database}-{kind}-{stamp}.dump"
    part = final.with_suffix(".part")
    os.umask(0o077)
    try:
        with part.open("wb") as out:
            run(["pg_dump", "--format=custom", "--dbname", database], "pg_dump", stdout=out)
            os.fsync(out.fileno())
        with part.open("rb") as written:
            listing = run(
                ["pg_restore", "--list"], "pg_restore --list", stdin=written, stdout=subprocess.PIPE
            )
        part.replace(final)
    finally:
        part.unlink(missing_ok=True)
    folder_handle = os.open(folder, os.O_RDONLY)
    os.fsync(folder_handle)
    os.close(folder_handle)
    return final, sum(" TABLE DATA " in line for line in listing.decode().splitlines())


def run(argv, name, **streams):
    """Run as postgres, who may read everything through the local socket. Exits with the reason on failure."""
    done = subprocess.run(
        ["runuser", "-u", "postgres", "--", *argv], stderr=subprocess.PIPE, cwd="/", check=False, **streams
    )
    if done.returncode:
        sys.exit(f"{name} failed ({done.returncode}): {done.stderr.decode(errors='replace')[-2000:]}")
    return done.stdout


def prune(folder, database, kind, keep):
    """Keep the newest of this kind; a release's backup never displaces a daily one."""
    of_kind = sorted(folder.glob(f"{database}-{kind}-*.dump"))
    for old in of_kind[:-keep]:
        old.unlink()


main()

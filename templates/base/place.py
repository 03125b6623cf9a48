"""Runs on a host: places the files that it is given on standard input, each whole or not at all."""

import base64
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path


def place(file):
    """Write beside the old file, let its check judge it, then take the old one's place."""
    path = Path(file["path"])
    new = path.with_name(path.name + ".slipway-new")
    make_folder(path.parent)
    try:
        with new.open("wb") as out:
            out.write(base64.b64decode(file["content"]))
        shutil.chown(new, file["owner"], file["group"])
        new.chmod(file["mode"])
        if file["check"]:
            judge(path, file["check"].replace("{}", shlex.quote(str(new))))
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def make_folder(folder):
    """Folders are for all to enter; what is in them has modes of its own."""
    if not folder.is_dir():
        os.umask(0o022)
        folder.mkdir(parents=True)
        os.umask(0o077)


def judge(path, command):
    """End the program, with what the judge said, if it refuses the file."""
    judged = subprocess.run(
        ["/bin/sh", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if judged.returncode:
        sys.exit(f"{path} is refused, the old one stays:\n{judged.stdout.decode(errors='replace')}")


os.umask(0o077)
for each in json.load(sys.stdin):
    place(each)

"""A real S3 server for tests: versitygw over a temporary folder, on a free port of 127.0.0.1."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from hosts.agent.sigv4 import Credentials
from slipway.storage.bucket import Bucket
from slipway.storage.signed_http import SignedHttp
from tests.ports import free_port

ACCOUNT = Credentials("slipway-test", "not-a-secret-just-a-test")
_numbers = count(1)


@dataclass(frozen=True)
class S3:
    """A running server; `folder` holds a folder per bucket."""

    endpoint: str
    folder: Path
    region: str = "us-east-1"
    account: Credentials = ACCOUNT

    def bucket(self, name: str = "") -> Bucket:
        """A new, empty bucket (or a second connection to the one called `name`)."""
        name = name or f"bucket-{next(_numbers)}"
        http = SignedHttp(self.endpoint, "s3", self.region, lambda: self.account)
        http.request("PUT", f"/{name}")
        http.close()
        return Bucket(name, self.account, endpoint=self.endpoint, region=self.region)


def find_versitygw() -> str | None:
    """The server's program: $VERSITYGW, or the one on PATH."""
    return os.environ.get("VERSITYGW") or shutil.which("versitygw")


def wait_for_port(port: int, process: subprocess.Popen[bytes], seconds: float = 60) -> None:
    """Return once something listens on the port; RuntimeError if the process ends or time runs out."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise RuntimeError(f"{process.args} does not listen on port {port}")


@contextmanager
def serve(program: str, folder: Path) -> Generator[S3]:
    """Run the server over `folder` and end it afterwards."""
    data, iam = folder / "data", folder / "iam"
    data.mkdir()
    iam.mkdir()
    port = free_port()
    address = f"127.0.0.1:{port}"
    command = [program, "--port", address, "--iam-dir", str(iam), "--quiet", "--keep-alive"]
    command += ["--access", ACCOUNT.access_key, "--secret", ACCOUNT.secret_key, "posix"]
    with suppress(OSError):  # a file system without xattr needs a sidecar
        os.setxattr(folder, "user.slipway", b"1")
    if "user.slipway" not in _xattrs(folder):
        sidecar = folder / "sidecar"
        sidecar.mkdir()
        command += ["--sidecar", str(sidecar)]
    process = subprocess.Popen([*command, str(data)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port, process)
        yield S3(f"http://{address}", data)
    finally:
        process.terminate()
        process.wait(timeout=60)


def _xattrs(folder: Path) -> list[str]:
    with suppress(OSError):
        return os.listxattr(folder)
    return []

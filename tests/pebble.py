"""Pebble, Let's Encrypt's ACME server for tests: built by Go once, and run with a certificate of its own."""

import json
import os
import shutil
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from slipway.platforms.s3_server import go_on_path
from tests.ports import free_port

VERSION = "v2.10.0"
_MODULE = f"github.com/letsencrypt/pebble/v2/cmd/pebble@{VERSION}"


def binary() -> Path:
    """The program, for Linux and without shared libraries; skips the test if it cannot be had."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    made = cache / "slipway-tests" / f"pebble-{VERSION}"
    if made.is_file():
        return made
    if (go := go_on_path()) is None:
        pytest.skip("no Go to build pebble")
    part = made.with_name(f"{made.name}.{os.getpid()}")
    environment = {**os.environ, "GOBIN": str(part), "CGO_ENABLED": "0", "GOTOOLCHAIN": "auto", "GOFLAGS": ""}
    done = subprocess.run(
        [go, "install", "-trimpath", _MODULE], env=environment, check=False, capture_output=True, text=True
    )
    if done.returncode != 0:
        pytest.skip(f"pebble cannot be built: {done.stderr.strip()[-200:]}")
    (part / "pebble").replace(made)
    part.rmdir()
    return made


def settings(folder: Path, *, names: list[str], listen: str, challenges_on: int, seconds: int) -> str:
    """The text of pebble's configuration; its TLS certificate is for `names` and lies in `folder`.

    `challenges_on`: port on which challenges are answered. `seconds`: lifetime of what it issues.
    """
    authority = trustme.CA()
    leaf = authority.issue_cert(*names)
    authority.cert_pem.write_to_path(folder / "directory-ca.pem")
    leaf.private_key_pem.write_to_path(folder / "key.pem")
    (folder / "cert.pem").write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    lifetime = {"description": "for tests", "validityPeriod": seconds}
    return json.dumps(
        {
            "pebble": {
                "listenAddress": listen,
                "certificate": "cert.pem",
                "privateKey": "key.pem",
                "httpPort": challenges_on,
                "tlsPort": 1,
                "ocspResponderURL": "",
                "profiles": {"default": lifetime},
            }
        }
    )


@contextmanager
def pebble(
    folder: Path, challenges_on: int, seconds: int = 3600, dns: str = "", address: str = "localhost"
) -> Generator[str]:
    """A server at `address`; its directory's URL. `folder/directory-ca.pem` has signed its certificate.

    `dns`: address of the resolver that it looks names up at; empty: this machine's.
    """
    program, port = binary(), free_port()
    text = settings(
        folder, names=[address], listen=f"{address}:{port}", challenges_on=challenges_on, seconds=seconds
    )
    (folder / "pebble.json").write_text(text)
    process = subprocess.Popen(
        [str(program), "-config", "pebble.json", *(("-dnsserver", dns) if dns else ())],
        cwd=folder,
        env={"PEBBLE_VA_NOSLEEP": "1", "PATH": os.environ["PATH"]},
        stdout=(folder / "pebble.log").open("w"),
        stderr=subprocess.STDOUT,
    )
    url = f"https://{address}:{port}/dir"
    context = ssl.create_default_context(cafile=folder / "directory-ca.pem")
    try:
        ends = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(url, context=context, timeout=5).close()
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < ends, (folder / "pebble.log").read_text()
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def client() -> str:
    """The ACME client that hosts have from Debian; skips the test if this machine has none."""
    found = shutil.which("lego")
    if found is None:
        pytest.skip("no lego (apt-get install lego)")
    return found

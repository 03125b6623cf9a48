"""Emulators: one started, and asked things of."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import requests
from botocore.config import Config

from tests.ports import free_port
from tests.s3 import wait_for_port

_ROOT = Path(__file__).parents[3]
_START_SECONDS = 60


@dataclass(frozen=True)
class Keys:
    """Credentials; by default some that nobody checks."""

    access_key: str = "emulator"
    secret_key: str = "emulator"
    token: str | None = None


@contextmanager
def served(log: Path) -> Generator[str]:
    """A server of its own on a free port; its address."""
    port = free_port()
    command = [sys.executable, "-m", "tests.infra.emulator.server", str(port)]
    with log.open("wb") as told:
        process = subprocess.Popen(command, cwd=_ROOT, stdout=told, stderr=told)
    try:
        wait_for_port(port, process, _START_SECONDS)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=60)


def client(service: str, endpoint: str, keys: Keys = Keys()) -> Any:
    """A boto3 client of the emulator at `endpoint`."""
    return boto3.client(  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        service,
        region_name="us-east-1",
        endpoint_url=endpoint,
        aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key,
        aws_session_token=keys.token,
        config=Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}),
    )


@contextmanager
def checked(endpoint: str) -> Generator[None]:
    """Meanwhile every request needs credentials whose policies allow it."""
    _check_after(endpoint, "0")
    try:
        yield
    finally:
        _check_after(endpoint, "inf")


def _check_after(endpoint: str, requests_made: str) -> None:
    requests.post(f"{endpoint}/moto-api/reset-auth", data=requests_made, timeout=10).raise_for_status()

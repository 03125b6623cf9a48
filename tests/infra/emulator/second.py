"""MiniStack, the second emulator: what moto cannot make comes up there, by the real provider."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra.recording import Graph
from tests.infra.emulator.applied import APPLY_SECONDS, Emulator
from tests.infra.emulator.configuration import ACCOUNT, Target, configuration
from tests.infra.emulator.limits import SECOND
from tests.infra.emulator.reach import client
from tests.infra.emulator.terraform import Workspace
from tests.ports import free_port
from tests.s3 import wait_for_port

WITH = (
    "aws_cloudwatch_log_group", "aws_elasticache_subnet_group", "aws_kms_key", "aws_security_group",
    "aws_sns_topic", "aws_subnet", "aws_vpc",
)  # fmt: skip
"""What they refer to."""


@dataclass(frozen=True)
class Second:
    """Production's part on MiniStack."""

    endpoint: str

    def ask(self, service: str) -> Any:
        """A boto3 client of it."""
        return client(service, self.endpoint)


@contextmanager
def served(folder: Path) -> Generator[str]:
    """A MiniStack of its own on a free port; its address."""
    port = free_port()
    env = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "GATEWAY_PORT": str(port),
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
    }
    with (folder / "ministack.log").open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "ministack"], cwd=folder, env=env, stdout=said, stderr=said
        )
    try:
        wait_for_port(port, process, 60)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=60)


@pytest.fixture(scope="session")
def second_ahead(
    emulator: Emulator, graphs: dict[str, Graph], tmp_path_factory: pytest.TempPathFactory
) -> Generator[Future[Second]]:
    """Production's resources of the types in SECOND, and what they refer to, while other tests run."""
    folder, graph = tmp_path_factory.mktemp("second"), graphs["prod"]
    others = {each.terraform_type for each in graph} - {*SECOND, *WITH}

    def made(endpoint: str) -> Second:
        workspace = Workspace(emulator.tools, folder / "workspace")
        target = Target(emulator.schema, emulator.tools.version, endpoint, frozenset(others))
        wanted = configuration(graph, target)
        del wanted["output"]  # of parts that are not there
        workspace.write(wanted)
        workspace.apply(APPLY_SECONDS)
        return Second(endpoint)

    with served(folder) as endpoint, ThreadPoolExecutor(1) as pool:
        yield pool.submit(made, endpoint)


@pytest.fixture(scope="session")
def second(second_ahead: Future[Second]) -> Second:
    """The same, once it is there."""
    return second_ahead.result()

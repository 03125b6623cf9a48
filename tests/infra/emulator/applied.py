"""A stack of the example, applied to an emulator of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from botocore.config import Config

from infra.recording import Graph
from tests.infra.emulator.configuration import Target, configuration
from tests.infra.emulator.limits import PLAN_ONLY
from tests.infra.emulator.terraform import Tools, Workspace, find
from tests.infra.emulator.texts import Schema
from tests.s3 import free_port, wait_for_port

ROOT = Path(__file__).parents[3]
APPLY_SECONDS = 420
"""RDS and the load balancer have waiters of minutes in the provider, whatever answers."""
_START_SECONDS = 60


@dataclass(frozen=True)
class Keys:
    """Credentials; by default some that nobody checks."""

    access_key: str = "emulator"
    secret_key: str = "emulator"
    token: str | None = None


@dataclass(frozen=True)
class Applied:
    """One stack as the emulator has it."""

    stack: str
    graph: Graph
    endpoint: str
    workspace: Workspace

    @cached_property
    def outputs(self) -> dict[str, Any]:
        """The stack outputs."""
        return self.workspace.outputs()

    @cached_property
    def fleet(self) -> str:
        """`board-prod`, which the names begin with."""
        return f"{self.graph.project}-{self.stack}"

    def ask(self, service: str, keys: Keys = Keys()) -> Any:
        """A boto3 client of the emulator."""
        return boto3.client(
            service,
            region_name="us-east-1",
            endpoint_url=self.endpoint,
            aws_access_key_id=keys.access_key,
            aws_secret_access_key=keys.secret_key,
            aws_session_token=keys.token,
            config=Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}),
        )

    @contextmanager
    def access_checked(self) -> Generator[None]:
        """Meanwhile every request needs credentials whose policies allow it."""
        self._check_after("0")
        try:
            yield
        finally:
            self._check_after("inf")

    def _check_after(self, requests_made: str) -> None:
        requests.post(
            f"{self.endpoint}/moto-api/reset-auth", data=requests_made, timeout=10
        ).raise_for_status()


class Emulator:
    """Both stacks, applied side by side; a failure is told to each test that asks for the stack."""

    def __init__(self, tools: Tools, graphs: Mapping[str, Graph], folder: Path, servers: ExitStack) -> None:
        self.tools, self._graphs, self._folder, self._servers = tools, graphs, folder, servers
        self._applied: dict[str, Future[Applied]] = {}

    @cached_property
    def schema(self) -> Schema:
        """Of the provider's resources."""
        workspace = Workspace(self.tools, self._folder / "schema")
        source = {"source": "hashicorp/aws", "version": self.tools.version}
        workspace.write({"terraform": {"required_providers": {"aws": source}}})
        return workspace.schema()

    def stack(self, name: str) -> Applied:
        """The stack, once it is there. Raises TerraformFailed, Unknown, or what the program raises."""
        if not self._applied:
            _ = self.schema
            pool = self._servers.enter_context(ThreadPoolExecutor(len(self._graphs)))
            self._applied = {each: pool.submit(self._apply, each) for each in self._graphs}
        return self._applied[name].result()

    def planned_in_full(self, applied: Applied) -> list[str]:
        """What the provider would make for the stack from nothing, with all that the emulator cannot make."""
        workspace = Workspace(self.tools, self._folder / f"{applied.stack}-full")
        target = Target(self.schema, self.tools.version, applied.endpoint)
        workspace.write(configuration(applied.graph, target))
        workspace.validate()
        return workspace.plan()

    def _apply(self, name: str) -> Applied:
        graph = self._graphs[name]
        endpoint = self._servers.enter_context(_served(self._folder / f"{name}.log"))
        workspace = Workspace(self.tools, self._folder / name)
        target = Target(self.schema, self.tools.version, endpoint, frozenset(PLAN_ONLY))
        workspace.write(configuration(graph, target))
        workspace.apply(APPLY_SECONDS)
        return Applied(name, graph, endpoint, workspace)


@pytest.fixture(scope="session")
def emulator(graphs: dict[str, Graph], tmp_path_factory: pytest.TempPathFactory) -> Generator[Emulator]:
    """The example's stacks, applied once for all tests; skipped without terraform and its provider."""
    tools = find()
    if isinstance(tools, str):
        pytest.skip(tools)
    with ExitStack() as servers:
        yield Emulator(tools, graphs, tmp_path_factory.mktemp("emulator"), servers)


@contextmanager
def _served(log: Path) -> Generator[str]:
    port = free_port()
    command = [sys.executable, "-m", "tests.infra.emulator.server", str(port)]
    with log.open("wb") as told:
        process = subprocess.Popen(command, cwd=ROOT, stdout=told, stderr=told)
    try:
        wait_for_port(port, process, _START_SECONDS)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=10)

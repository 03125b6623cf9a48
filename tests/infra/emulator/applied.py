"""A stack of the example, applied to an emulator of its own."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

import pytest

from infra.recording import Graph
from slipway.settings import App, Project, open_project
from slipway.settings.aws import Aws
from tests.infra.emulator.configuration import Target, configuration
from tests.infra.emulator.limits import PLAN_ONLY
from tests.infra.emulator.plan import Plan
from tests.infra.emulator.reach import client, served
from tests.infra.emulator.state import State
from tests.infra.emulator.terraform import Tools, Workspace, find
from tests.infra.emulator.texts import Schema

ROOT = Path(__file__).parents[3]
APPLY_SECONDS = 480
"""RDS and the load balancer have waiters of minutes in the provider, whatever answers."""


@dataclass(frozen=True)
class Applied:
    """One stack as the emulator has it."""

    stack: str
    graph: Graph
    endpoint: str
    workspace: Workspace
    again: Plan
    """What the provider would still change once all is made."""
    in_full: Future[Plan]
    """What it would make from nothing, with all that the emulator cannot make."""

    @property
    def planned(self) -> dict[str, dict[str, Any]]:
        """Arguments of `in_full`, by address."""
        return self.in_full.result().values

    @cached_property
    def state(self) -> State:
        """What Terraform knows of it."""
        return self.workspace.state()

    @property
    def outputs(self) -> dict[str, Any]:
        """The stack outputs."""
        return self.state.outputs

    @cached_property
    def project(self) -> Project:
        """Its settings, and its app's."""
        return open_project(self.stack, ROOT)

    @property
    def aws(self) -> Aws:
        """Its `slipway:aws` settings, defaults filled in."""
        assert self.project.stack.aws is not None
        return self.project.stack.aws

    @property
    def app(self) -> App:
        """Its slipway.toml."""
        return self.project.app

    @cached_property
    def fleet(self) -> str:
        """`board-prod`, which the names begin with."""
        return f"{self.graph.project}-{self.stack}"

    def ask(self, service: str) -> Any:
        """A boto3 client of the stack's emulator."""
        return client(service, self.endpoint)


class Emulator:
    """Both stacks, applied side by side; a failure is told to each test that asks for the stack."""

    def __init__(
        self, tools: Tools, graphs: Mapping[str, Graph], folder: Path, cache: Path, servers: ExitStack
    ) -> None:
        self.tools, self._graphs, self._servers = tools, graphs, servers
        self._folder, self._cache = folder, cache
        self._applied: dict[str, Future[Applied]] = {}
        self._lock = Lock()

    @property
    def schema(self) -> Schema:
        """Of the provider's resources."""
        with self._lock:
            return self._schema

    @cached_property
    def _schema(self) -> Schema:
        kept = self._cache / f"schema-{self.tools.version}.json"
        if not kept.exists():
            workspace = self._workspace("schema")
            source = {"source": "hashicorp/aws", "version": self.tools.version}
            workspace.write({"terraform": {"required_providers": {"aws": source}}})
            kept.write_text(json.dumps(workspace.schema()))
        return json.loads(kept.read_text())

    def begin(self) -> None:
        """Start applying, in the background; most of it is waiting for the provider's waiters."""
        if not self._applied:
            pool = self._servers.enter_context(ThreadPoolExecutor(2 * len(self._graphs)))
            self._applied = {each: pool.submit(self._apply, each, pool) for each in self._graphs}

    def stack(self, name: str) -> Applied:
        """The stack, once it is there. Raises TerraformFailed, Unknown, or what the program raises."""
        self.begin()
        return self._applied[name].result()

    def _apply(self, name: str, pool: ThreadPoolExecutor) -> Applied:
        graph = self._graphs[name]
        endpoint = self._servers.enter_context(served(self._folder / f"{name}.log"))
        workspace = self._workspace(name)
        whole = Target(self.schema, self.tools.version, endpoint)
        workspace.write(configuration(graph, replace(whole, left_out=frozenset(PLAN_ONLY))))
        in_full = pool.submit(self._planned_in_full, graph, whole)
        workspace.apply(APPLY_SECONDS)
        return Applied(name, graph, endpoint, workspace, workspace.plan(), in_full)

    def _planned_in_full(self, graph: Graph, target: Target) -> Plan:
        workspace = self._workspace(f"{graph.stack}-full")
        workspace.write(configuration(graph, target))
        return workspace.plan()

    def _workspace(self, name: str) -> Workspace:
        return Workspace(self.tools, self._folder / name)


@pytest.fixture(scope="session")
def emulator(
    graphs: dict[str, Graph], tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Generator[Emulator]:
    """The example's stacks, applied once for all tests; skipped without terraform and its provider."""
    tools = find()
    if isinstance(tools, str):
        pytest.skip(tools)
    cache = pytestconfig.cache.mkdir("terraform") if pytestconfig.cache else tmp_path_factory.mktemp("schema")
    with ExitStack() as servers:
        yield Emulator(tools, graphs, tmp_path_factory.mktemp("emulator"), cache, servers)


@pytest.fixture(scope="session", params=("prod", "preview"))
def applied(request: pytest.FixtureRequest, emulator: Emulator) -> Applied:
    """Each stack in turn, applied."""
    return emulator.stack(request.param)

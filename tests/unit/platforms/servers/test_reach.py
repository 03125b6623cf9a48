from dataclasses import replace
from pathlib import Path

import pytest

from slipway.fleet.fleet import Fleet
from slipway.platforms.s3_server import binary_for, machine_of
from slipway.platforms.servers.outputs import compose_outputs
from slipway.platforms.servers.reach import Way, parse, unfit, ways
from slipway.progress import Silent
from slipway.settings import BadInput, Outputs, Project, Server

NEW = "debian\n12\nx86_64\nyes\n\n10.0.0.2 203.0.113.2\n.\n"
GOOD = parse(NEW)


def outputs_of(project: Project, **changes: object) -> Outputs:
    stack = project.stack.model_copy(update=changes)
    return compose_outputs(stack, state_dir=Path("/s"), secrets=Path("/p"), public_site=False)


def test_a_machine_is_read_whether_it_is_new_or_was_set_up():
    assert (GOOD.system, GOOD.has_s3_server, GOOD.fleet) == ("debian", False, "")
    again = parse(NEW.replace("\n.\n", "\nboard-prod\n.\nweb\n"))
    assert (again.fleet, again.role) == ("board-prod", "web")


def test_a_machine_that_cannot_be_the_host_is_refused_with_why(project: Project):
    web = Fleet(outputs_of(project)).host("web1")
    assert unfit(web, GOOD, "board-prod") == []
    assert unfit(web, replace(GOOD, fleet="board-prod", role="web"), "board-prod") == []
    for found, problem in (
        (replace(GOOD, system="fedora", version="40"), "runs fedora 40"),
        (replace(GOOD, version="11"), "runs debian 11"),
        (replace(GOOD, has_systemd=False), "was not started by systemd"),
        (replace(GOOD, addresses=("10.0.0.9",)), "has no address 10.0.0.2"),
        (replace(GOOD, fleet="board-preview", role="web"), "belongs to the fleet board-preview"),
        (
            replace(GOOD, fleet="board-prod", role="data"),
            "was set up as data, and the settings take data from it",
        ),
        (
            replace(GOOD, fleet="board-prod", role="edge+web"),
            "was set up as edge+web, and the settings take edge",
        ),
    ):
        assert [problem in line for line in unfit(web, found, "board-prod")] == [True]


def test_a_host_may_take_further_roles_and_each_connection_is_tried_once(project: Project):
    servers = [server.model_dump(by_alias=True) for server in project.stack.servers]
    alone = Server.model_validate({**servers[1], "role": ["edge", "web", "worker", "data"]})
    outputs = outputs_of(project, servers=[alone])
    shared = Fleet(outputs).host("web1")
    for before in ("web", "edge+web", "edge+web+worker+data"):
        assert unfit(shared, replace(GOOD, fleet="board-prod", role=before), "board-prod") == []
    found = ways(outputs)
    assert len(set(found)) == len(found)
    assert {(way.source, way.target) for way in found} == {("web1", "web1")}
    assert {way.port for way in found} == {443, 8443, 5432, 6432, 6379, 7070}


def test_every_connection_the_fleet_lives_on_is_tried(project: Project):
    found = ways(outputs_of(project))
    assert Way("edge1", "web2", "10.0.0.3", 8443) in found
    assert Way("web1", "data1", "10.0.0.4", 6432) in found
    assert Way("edge1", "data1", "10.0.0.4", 7070) in found
    assert Way("edge1", "data1", "10.0.0.4", 5432) not in found
    bare = ways(outputs_of(project, database="external", redis=False))
    assert {way.port for way in bare if way.target == "data1"} == {7070}


def test_the_s3_server_must_be_for_the_data_hosts_processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    binary = tmp_path / "versitygw"
    binary.write_bytes(b"\x7fELF" + b"\0" * 14 + (183).to_bytes(2, "little"))
    binary.chmod(0o755)
    monkeypatch.setenv("VERSITYGW", str(binary))
    assert machine_of(binary) == "aarch64"
    assert binary_for("data1", "aarch64", Silent()) == binary
    with pytest.raises(BadInput, match="is for aarch64, and data1 is x86_64"):
        binary_for("data1", "x86_64", Silent())

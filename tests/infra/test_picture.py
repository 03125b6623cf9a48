"""The picture and the cost of a stack, and the commands that show them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from infra.picture.cost import cost, prices
from infra.picture.model import PLACES, picture
from infra.picture.report import report
from infra.picture.svg import Box, layout, svg
from infra.picture.traffic import svg as svg_of_traffic, traffic
from infra.recording import Graph, Resource, record as real_record
from slipway.cli.app import command_line
from slipway.settings import BadInput
from tests.infra.conftest import ROOT

SVG = "{http://www.w3.org/2000/svg}"


def test_every_resource_is_on_one_card(graph: Graph) -> None:
    drawn = picture(graph)
    own = sum(1 for each in graph if each.custom and not each.type.startswith("pulumi:") and each.parent)
    assert sum(card.resources for card in drawn.cards) == own


def test_every_concern_has_its_place(graph: Graph) -> None:
    tops = {each.type for each in graph if not each.custom and not each.parent}
    assert tops <= set(PLACES)


def test_lines_are_the_references_between_concerns(graph: Graph) -> None:
    drawn = picture(graph)
    titles = {card.urn: card.title for card in drawn.cards}
    lines = {(titles[line.source], titles[line.target]) for line in drawn.lines}
    assert {("Hosts", "Network"), ("PostgreSQL", "Vault"), ("Listeners", "Certificate")} <= lines
    assert all(source != target for source, target in lines)


def test_no_card_lies_on_another(graph: Graph) -> None:
    places = layout(picture(graph))

    def apart(one: Box, other: Box) -> bool:
        beside = one.right <= other.x or other.right <= one.x
        return beside or one.bottom <= other.y or other.bottom <= one.y

    for index, one in enumerate(places.boxes):
        assert one.x >= 0 and one.right <= places.width and one.bottom <= places.height
        assert all(apart(one, other) for other in places.boxes[index + 1 :])


def test_the_svg_is_well_formed_and_fetches_nothing(graph: Graph) -> None:
    text = svg(picture(graph))
    document = ElementTree.fromstring(text)
    assert len(document.findall(f"{SVG}g/{SVG}rect[@class='card']")) == len(picture(graph).cards)
    assert "prefers-color-scheme:dark" in text
    assert set(re.findall(r"https?://[^\"']+", text)) == {"http://www.w3.org/2000/svg"}


def test_names_are_escaped() -> None:
    odd = Resource("slipway:aws:<b>&", "x", "urn:pulumi:s::p::slipway:aws:<b>&::x", {}, custom=False)
    assert "&lt;b&gt;&amp;" in svg(picture(Graph("p", "s", (odd,), {})))


def test_the_cost_is_the_sum_of_priced_items(graphs: dict[str, Graph]) -> None:
    found = cost(graphs["prod"])
    assert found.unpriced == ()
    assert found.usd == round(sum(item.usd or 0 for item in found.items), 2)
    assert found.usd > cost(graphs["preview"]).usd > 0


def test_a_standby_costs_twice(graphs: dict[str, Graph]) -> None:
    counts = {item.what: item.count for item in cost(graphs["prod"]).items}
    database = graphs["prod"].of("aws:rds/instance:Instance")[0]
    assert database.inputs["multiAz"] is True
    assert counts[database.inputs["instanceClass"]] == 2
    assert counts["database GB"] == 2 * database.inputs["allocatedStorage"]


def test_what_has_no_price_is_said(graphs: dict[str, Graph]) -> None:
    resources = tuple(
        replace(each, inputs={**each.inputs, "nodeType": "cache.x9.huge"})
        if each.type == "aws:elasticache/replicationGroup:ReplicationGroup"
        else each
        for each in graphs["prod"]
    )
    assert cost(Graph("board", "prod", resources, {})).unpriced == ("cache.x9.huge",)


def test_every_price_has_a_source_and_the_table_a_date() -> None:
    table = prices()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", table.date)
    assert all(
        each.source.startswith("https://aws.amazon.com/") and each.usd > 0 for each in table.by_item.values()
    )


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, graphs: dict[str, Graph]) -> CliRunner:
    """Runs `slipway infra …` here; prod and preview are recorded already."""
    monkeypatch.chdir(ROOT)

    def known(root: Path, stack: str) -> Graph:
        return graphs.get(stack) or real_record(root, stack)

    monkeypatch.setattr("infra.recording.record", known)
    return CliRunner()


def test_graph_writes_a_file(command: CliRunner, tmp_path: Path) -> None:
    result = command.invoke(
        command_line(), ["infra", "graph", "--stack", "prod", "--out", str(tmp_path / "prod.svg")]
    )
    assert result.exit_code == 0
    assert ElementTree.parse(tmp_path / "prod.svg").getroot().tag == f"{SVG}svg"


@pytest.mark.parametrize("what", ["graph", "cost", "check"])
def test_each_has_json(command: CliRunner, what: str) -> None:
    result = command.invoke(command_line(), ["infra", what, "--stack", "preview", "--json"])
    assert result.exit_code == 0
    assert json.loads(result.stdout)


def test_check_says_that_all_rules_are_kept(command: CliRunner) -> None:
    result = command.invoke(command_line(), ["infra", "check", "--stack", "prod"])
    assert re.match(r"prod keeps all \d+ rules; its values are as AWS's models want them", result.stdout)


@pytest.mark.parametrize("stack", ["production", "local"])
def test_a_stack_without_infrastructure_is_bad_input(command: CliRunner, stack: str) -> None:
    result = command.invoke(command_line(), ["infra", "check", "--stack", stack])
    assert isinstance(result.exception, BadInput)
    assert result.exception.remedy


def test_a_missing_sdk_is_bad_input(command: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(_: str) -> None:
        return None

    monkeypatch.setattr("slipway.cli.infra.find_spec", nothing)
    result = command.invoke(command_line(), ["infra", "cost", "--stack", "prod"])
    assert isinstance(result.exception, BadInput)
    assert "uv tool install --reinstall slipway" in result.exception.remedy


def test_traffic_is_what_the_network_lets_through_and_nothing_else(graph: Graph) -> None:
    shown = traffic(graph)
    flows = {(flow.source, flow.target): flow.ports for flow in shown.flows}
    assert flows["the internet", "load balancer"] == (80, 443)
    assert flows["load balancer", "web"] == (8080,)
    assert flows["web", "database"] == flows["worker", "database"] == (5432,)
    assert {target for source, target in flows if source == "the internet"} == {"load balancer"}
    assert not {source for source, _ in flows} & {"database", "redis"}
    kinds = {part.name: shown.where(part).partition(" ")[0] for part in shown.parts}
    assert kinds | {"database proxy": ""} == {
        "load balancer": "public", "web": "private", "worker": "private", "database": "isolated",
        "redis": "isolated", "database proxy": "",
    }  # fmt: skip


def test_the_report_has_both_pictures_the_cost_and_every_broken_rule(graph: Graph) -> None:
    page = report(graph, "preview")
    assert page.count("<svg") == 2
    assert f"About {cost(graph).usd:.0f} USD a month" in page
    assert "rules and the proofs are kept" in page
    ElementTree.fromstring(svg_of_traffic(traffic(graph)))
    bad = replace(
        graph,
        resources=tuple(
            replace(each, inputs={**each.inputs, "desyncMitigationMode": "<monitor>"})
            if each.type == "aws:lb/loadBalancer:LoadBalancer"
            else each
            for each in graph
        ),
    )
    page = report(bad, "preview")
    assert "lb-strict-desync" in page
    assert "<monitor>" not in page
    assert "are kept" not in page

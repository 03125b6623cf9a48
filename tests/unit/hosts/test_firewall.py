"""Who may connect to whom."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from hosts.firewall import rules, ruleset
from hosts.plan import FleetPlan
from tests.unit.hosts.aws import on_aws


def test_data_answers_web_and_worker_and_the_edge_only_for_uploads(plan: FleetPlan):
    lines = {line.split("dport ")[1].split()[0]: line for line in rules(plan, plan.outputs.host("data1"))}
    for port in ("5432", "6432", "6379"):
        assert lines[port].startswith("ip saddr { 10.7.0.12, 10.7.0.13, 10.7.0.14 } tcp")
    assert lines["7070"].startswith("ip saddr { 10.7.0.11, 10.7.0.12, 10.7.0.13, 10.7.0.14 } tcp")


def test_web_answers_only_the_edge_and_a_worker_no_one(plan: FleetPlan):
    assert [line.split(" accept")[0] for line in rules(plan, plan.outputs.host("web1"))] == [
        "ip saddr { 10.7.0.11 } tcp dport 8080"
    ]
    assert rules(plan, plan.outputs.host("worker1")) == []


def test_nothing_but_our_own_table_is_touched(plan: FleetPlan):
    text = ruleset(plan, plan.outputs.host("edge"))
    assert "flush" not in text
    assert [line for line in text.splitlines() if line.startswith(("table", "delete"))] == [
        "table inet slipway",
        "delete table inet slipway",
        "table inet slipway {",
    ]


@pytest.mark.parametrize("name", ["edge", "web1", "worker1", "data1"])
def test_nft_takes_the_rules(plan: FleetPlan, name: str):
    program = shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin")
    if program is None:
        pytest.skip("nftables is not installed")
    text = ruleset(plan, plan.outputs.host(name)).encode()
    inside = ["unshare", "--user", "--net", "--map-root-user", program, "-c", "-f", "-"]
    judged = subprocess.run(inside, input=text, capture_output=True, check=False)
    if b"unshare" in judged.stderr:
        pytest.skip("no user namespaces here")
    assert judged.returncode == 0, judged.stderr


def test_the_accounts_of_an_app_cannot_reach_the_instances_metadata(plan: FleetPlan):
    """Not on AWS either: for uploads and mail the agent gives it credentials of its own role."""
    for each in (plan, on_aws(plan)):
        lines = [line.strip() for line in ruleset(each, plan.outputs.host("web1")).splitlines()]
        assert [line.partition(" reject")[0] for line in lines if "skuid" in line] == [
            "meta skuid 60706-61183 ip daddr 169.254.169.254/32",
            "meta skuid 60706-61183 ip6 daddr fd00:ec2::254/128",
        ]

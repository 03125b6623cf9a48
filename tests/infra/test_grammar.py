"""Every string, enum and number of both stacks is valid by AWS's own models, and what is not is found."""

from __future__ import annotations

from dataclasses import replace

import pytest

from infra.proofs.documents import documents, exists
from infra.proofs.grammar import grammar
from infra.proofs.grammar_rows import ROWS
from infra.proofs.models import CALLS, WITHOUT_CALL, member_at, shapes
from infra.recording import Graph
from tests.infra.test_mistakes import given, made_wrong


def test_everything_in_the_stack_is_valid_by_awss_models(graph: Graph) -> None:
    assert [str(each) for each in (*grammar(graph), *documents(graph))] == []


def test_every_resource_has_a_call_that_makes_it(graph: Graph) -> None:
    made = {each.type for each in graph if each.custom and each.type.startswith("aws:")}
    assert made <= {*CALLS, *WITHOUT_CALL}


@pytest.mark.parametrize("token", CALLS)
def test_every_call_is_in_botocores_models(token: str) -> None:
    assert shapes(token)


def test_every_row_names_a_source_or_a_member_or_a_reason() -> None:
    for row in ROWS:
        assert row.source or row.member or row.free, (row.on, row.path)
        if "." in row.member:
            member_at(row.member)
    assert len({(row.on, row.path) for row in ROWS}) == len(ROWS)


def test_the_apostrophe_that_ec2_refuses_is_found(graphs: dict[str, Graph]) -> None:
    wrong = made_wrong(
        graphs["prod"], "aws:ec2/securityGroup:SecurityGroup", given("description", "the site's visitors")
    )
    (found,) = grammar(wrong)
    assert "the site's visitors" in found.problem
    assert found.path == "description"


def test_an_input_that_no_model_and_no_row_knows_is_a_problem(graphs: dict[str, Graph]) -> None:
    wrong = made_wrong(graphs["prod"], "aws:ec2/subnet:Subnet", given("colour", "blue"))
    (found,) = grammar(wrong)
    assert "neither botocore nor grammar_rows.py" in found.problem


def test_a_resource_that_no_call_makes_is_a_problem(graphs: dict[str, Graph]) -> None:
    graph = graphs["prod"]
    odd = replace(graph.resources[0], type="aws:sqs/queue:Queue", custom=True)
    found = list(grammar(replace(graph, resources=(odd,))))
    assert [each.problem for each in found] == ["no call of AWS is known that makes it"]


@pytest.mark.parametrize("action", ["s3:GetObjekt", "kms:Decript", "nothing:Get", "logs:PutLogEvent"])
def test_an_action_that_does_not_exist_is_known(action: str) -> None:
    assert not exists(action)


@pytest.mark.parametrize("action", ["s3:GetObject", "s3:Put*", "ec2:Describe*", "ssm:StartSession", "*"])
def test_an_action_that_exists_is_known(action: str) -> None:
    assert exists(action)

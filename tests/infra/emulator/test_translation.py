"""A recorded graph becomes Terraform's configuration, or the run stops and says which argument is unknown."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from infra.recording import Graph, Resource
from tests.infra.emulator.configuration import Target, configuration
from tests.infra.emulator.texts import translated
from tests.infra.emulator.unknown import Unknown

OPTIONAL = {"optional": True}
SCHEMA: dict[str, Any] = {
    "aws_lb": {
        "block": {
            "attributes": {
                "arn": {"type": "string", "computed": True},
                "name": {"type": "string", **OPTIONAL},
                "idle_timeout": {"type": "number", **OPTIONAL},
                "security_groups": {"type": ["set", "string"], **OPTIONAL},
                "policy": {"type": "string", **OPTIONAL},
                "tags": {"type": ["map", "string"], **OPTIONAL},
            },
            "block_types": {
                "access_logs": {
                    "nesting_mode": "list",
                    "block": {"attributes": {"bucket": {"type": "string", "required": True}}},
                },
                "subnet_mapping": {
                    "nesting_mode": "set",
                    "block": {"attributes": {"subnet_id": {"type": "string", "required": True}}},
                },
            },
        }
    },
    "aws_lb_trust_store": {
        "block": {
            "attributes": {
                "arn": {"type": "string", "computed": True},
                "name": {"type": "string", "required": True},
            }
        }
    },
}
TARGET = Target(SCHEMA, "5.100.0", "http://127.0.0.1:5000")


def resource(name: str, kind: str = "aws_lb", /, **inputs: Any) -> Resource:
    token = {
        "aws_lb": "aws:lb/loadBalancer:LoadBalancer",
        "aws_lb_trust_store": "aws:lb/trustStore:TrustStore",
    }[kind]
    return Resource(token, name, f"urn:{name}", inputs, terraform_type=kind, terraform_name=name)


def written(*resources: Resource, target: Target = TARGET, **outputs: Any) -> dict[str, Any]:
    return configuration(Graph("board", "test", resources, outputs), target)


def load_balancer(**inputs: Any) -> dict[str, Any]:
    return written(resource("edge", **inputs))["resource"]["aws_lb"]["edge"]


def test_names_are_snake_case_in_singular_or_plural():
    made = load_balancer(idleTimeout=120, securityGroups=["a"], subnetMappings=[{"subnetId": "s"}])
    assert made == {"idle_timeout": 120, "security_groups": ["a"], "subnet_mapping": [{"subnet_id": "s"}]}


def test_a_single_block_is_a_list_of_one():
    assert load_balancer(accessLogs={"bucket": "logs"}) == {"access_logs": [{"bucket": "logs"}]}


def test_keys_of_a_map_stay_as_they_are():
    assert load_balancer(tags={"slipway:Role": "web"}) == {"tags": {"slipway:Role": "web"}}


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"idleTimeoutt": 1}, "aws_lb.idleTimeoutt"),
        ({"accessLogs": {"bukket": "logs"}}, "aws_lb.access_logs.bukket"),
        ({"accessLogs": "logs"}, "aws_lb.access_logs"),
        ({"idleTimeout": [1]}, "aws_lb.idle_timeout"),
        ({"arn": "arn:aws:x"}, "aws_lb.arn"),
    ],
)
def test_an_argument_that_the_schema_does_not_know_stops_the_run(inputs: dict[str, Any], said: str):
    with pytest.raises(Unknown, match=f"^{said}: "):
        load_balancer(**inputs)


def test_a_resource_that_the_provider_does_not_have_stops_the_run():
    made = Resource("aws:x/y:Y", "y", "urn:y", {}, terraform_type="aws_y", terraform_name="y")
    with pytest.raises(Unknown, match="the provider has no resource aws_y"):
        written(made)


def test_what_only_the_newer_provider_has_is_left_out():
    assert load_balancer(region="us-east-1", name="edge") == {"name": "edge"}


def test_references_stay_and_other_variables_do_not_become_any():
    policy = '{"Resource": "${aws_lb.other.arn}/${aws:userid}", "x": "%{y}"}'
    made = written(resource("edge", policy=policy), resource("other"))
    kept = '{"Resource": "${aws_lb.other.arn}/$${aws:userid}", "x": "%%{y}"}'
    assert made["resource"]["aws_lb"]["edge"]["policy"] == kept


def test_attributes_of_references_are_called_as_terraform_does():
    text = "${tolist(aws_lb.edge.access_log)[0].bucket}"
    assert translated(text, SCHEMA, lambda _: None) == "${tolist(aws_lb.edge.access_logs)[0].bucket}"


def test_an_unknown_attribute_of_a_reference_stops_the_run():
    with pytest.raises(Unknown, match="aws_lb has no attribute arm"):
        translated("${aws_lb.edge.arm}", SCHEMA, lambda _: None)


def test_references_inside_base64_are_encoded_by_terraform():
    text = base64.b64encode(b'x="${aws_lb.edge.arn}"\n').decode()
    made = translated(text, SCHEMA, lambda _: None)
    assert made == '${base64encode("x=\\"${aws_lb.edge.arn}\\"\\n")}'


def test_what_is_left_out_is_stood_in_for():
    left_out = Target(SCHEMA, "5.100.0", "http://127.0.0.1:5000", frozenset({"aws_lb_trust_store"}))
    resources = (resource("edge", name="${aws_lb_trust_store.ca.arn}"), resource("ca", "aws_lb_trust_store"))
    made = written(*resources, target=left_out, store="${aws_lb_trust_store.ca.name}")
    assert set(made["resource"]) == {"aws_lb"}
    assert made["resource"]["aws_lb"]["edge"]["name"].startswith("arn:aws:stand-in:")
    assert made["output"]["store"]["value"] == "stand-in-ca"


def test_a_name_that_pulumi_would_make_up_is_given():
    made = written(resource("ca", "aws_lb_trust_store"))
    assert made["resource"]["aws_lb_trust_store"]["ca"]["name"].startswith("ca-")


def test_every_request_goes_to_the_emulator():
    (provider,) = written(resource("edge"))["provider"]["aws"]
    assert set(provider["endpoints"][0].values()) == {"http://127.0.0.1:5000"}
    assert provider["skip_credentials_validation"] is True

"""Every input of the recorded graphs is one that the provider's SDK knows, nested ones too."""

from __future__ import annotations

import pulumi_aws as aws
import pulumi_cloudflare as cloudflare
import pytest

from infra.recording import Graph
from infra.recording.run import record_component
from infra.recording.schema import breaches


def test_every_input_is_known_to_the_sdk(graph: Graph) -> None:
    assert [each for resource in graph for each in breaches(resource)] == []


def test_no_resource_escapes_the_check(graph: Graph) -> None:
    others = {each.type for each in graph if not each.type.startswith(("aws:", "cloudflare:"))}
    assert {each for each in others if not each.startswith(("slipway:", "pulumi:providers:"))} == set()


LISTENER = {"load_balancer_arn": "arn", "default_actions": [{"type": "redirect"}]}
WRONG = {
    "a misspelt nested key": (
        lambda: aws.lb.LoadBalancer("edge", access_logs={"bukket": "a", "bucket": "b"}),  # pyright: ignore
        ["edge.accessLogs.bukket: LoadBalancerAccessLogsArgs has no such field; did you mean bucket?"],
    ),
    "a misspelt key two levels down": (
        lambda: aws.lb.Listener(
            "https", load_balancer_arn="arn",
            default_actions=[{"type": "redirect", "redirect": {"statuscode": "x"}}],  # pyright: ignore
        ),
        [
            "https.defaultActions[0].redirect.statusCode: must be given",
            "https.defaultActions[0].redirect.statuscode: ListenerDefaultActionRedirectArgs has no such "
            "field; did you mean statusCode?",
        ],
    ),
    "a missing nested key": (
        lambda: aws.lb.LoadBalancer("edge", access_logs={"enabled": True}),  # pyright: ignore
        ["edge.accessLogs.bucket: must be given"],
    ),
    "text for a number": (
        lambda: aws.lb.Listener("https", port="abc", **LISTENER),  # pyright: ignore
        ["https.port: must be int, got 'abc'"],
    ),
    "a number for text": (
        lambda: aws.lb.LoadBalancer("edge", name=7),  # pyright: ignore
        ["edge.name: must be str, got 7"],
    ),
    "a text for a list": (
        lambda: aws.lb.LoadBalancer("edge", subnets="subnet-1"),  # pyright: ignore
        ["edge.subnets: must be a list, got 'subnet-1'"],
    ),
    "true for a number": (
        lambda: aws.lb.LoadBalancer("edge", idle_timeout=True),
        ["edge.idleTimeout: must be int, got True"],
    ),
    "a number in a map of texts": (
        lambda: aws.lb.LoadBalancer("edge", tags={"a": 1}),  # pyright: ignore
        ["edge.tags.a: must be str, got 1"],
    ),
    "of Cloudflare, nested": (
        lambda: cloudflare.Ruleset(
            "limits", kind="zone", name="limits", phase="http_ratelimit", zone_id="z",
            rules=[{"ratelimitt": {}}],  # pyright: ignore
        ),
        ["limits.rules[0].ratelimitt: RulesetRuleArgs has no such field; did you mean ratelimit?"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_argument_is_found(mistake: str) -> None:
    make, told = WRONG[mistake]
    graph = record_component(make)
    found = [each for resource in graph for each in breaches(resource)]
    assert [each for each in found if ".action: must" not in each and ".expression: must" not in each] == told


def test_a_reference_may_stand_for_a_number_but_only_alone() -> None:
    def make(port: str) -> list[str]:
        graph = record_component(lambda: aws.lb.Listener("https", port=port, **LISTENER))  # pyright: ignore
        return [each for resource in graph for each in breaches(resource)]

    assert make("${aws_db_instance.database.port}") == []
    assert make("x${aws_db_instance.database.port}") != []

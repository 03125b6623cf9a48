"""The load balancer and its target groups."""

from __future__ import annotations

from collections.abc import Iterable

from infra.policies.rule import World, holds, made, rule, world
from infra.recording.graph import Resource

LB = "aws:lb/loadBalancer:LoadBalancer"
TARGETS = "aws:lb/targetGroup:TargetGroup"
CERTIFICATE = "aws:acm/certificate:Certificate"

READY = "/-/slipway/ready"

SETTINGS = [
    holds(
        "lb-drops-invalid-headers", LB, "dropInvalidHeaderFields", good=True, bad=False,
        says="The load balancer drops headers with invalid names.",
        controls=("ELB.4",), severity="medium",
    ),
    holds(
        "lb-strict-desync", LB, "desyncMitigationMode", good="strictest", bad="monitor",
        when=lambda value: value in {"strictest", "defensive"},
        says="Requests that front and back could read differently are refused.",
        controls=("ELB.12",), severity="medium",
    ),
    holds(
        "lb-appends-forwarded-for", LB, "xffHeaderProcessingMode", good="append", bad="preserve",
        says="The load balancer appends the client's address to X-Forwarded-For.",
        controls=("X8", "I2"), severity="high",
    ),
    holds(
        "lb-outlasts-heartbeats", LB, "idleTimeout", good=120, bad=30,
        when=lambda value: isinstance(value, int) and value >= 60,
        says="Silent connections live for two heartbeats at least.",
        controls=("I2",), severity="medium", remedy="set load_balancer.idle_seconds to 60 or more",
    ),
    holds(
        "lb-deletion-protection", LB, "enableDeletionProtection", good=True, bad=False,
        says="AWS refuses to delete production's load balancer.",
        controls=("ELB.6",), severity="medium", production_only=True,
    ),
    holds(
        "lb-access-logs", LB, "accessLogs.enabled", good=True, bad=False,
        says="Every request is logged.", controls=("ELB.5",), severity="medium",
    ),
    holds(
        "lb-connection-logs", LB, "connectionLogs.enabled", good=True, bad=False,
        says="Every TLS connection is logged.", controls=("ELB.5",), severity="low",
    ),
    holds(
        "lb-preserves-host", LB, "preserveHostHeader", good=True, bad=False,
        says="Hosts see the name that the client asked for.", controls=("I2",), severity="low",
    ),
    holds(
        "lb-in-two-zones", LB, "subnets", good=["a", "b"], bad=["a"],
        when=lambda value: isinstance(value, list) and len(value) >= 2,  # pyright: ignore[reportUnknownArgumentType]
        says="The load balancer stands in two zones at least.", controls=("ELB.13", "I1"),
        severity="medium",
    ),
    holds(
        "target-group-sticky", TARGETS, "stickiness.type", good="lb_cookie", bad="source_ip",
        says="A client comes back to its host by the load balancer's own cookie.",
        controls=("I2",), severity="high",
    ),
    holds(
        "target-group-drains", TARGETS, "deregistrationDelay", good=60, bad=5,
        when=lambda value: isinstance(value, int) and value >= 30,
        says="A leaving host has time to end what it has begun.", controls=("S5",), severity="medium",
    ),
    holds(
        "target-group-asks-readiness", TARGETS, "healthCheck.path", good=READY, bad="/",
        says="A host gets traffic once its live release says that it is ready.",
        controls=("I3",), severity="high",
    ),
    holds(
        "target-group-asks-often", TARGETS, "healthCheck.interval", good=10, bad=60,
        when=lambda value: isinstance(value, int) and value <= 30,
        says="Health is asked for at least every 30 s.", controls=("I3",), severity="medium",
    ),
    holds(
        "target-group-wants-200", TARGETS, "healthCheck.matcher", good="200", bad="200-499",
        says="Only 200 is healthy.", controls=("I3",), severity="medium",
    ),
    holds(
        "certificate-by-dns", CERTIFICATE, "validationMethod", good="DNS", bad="EMAIL",
        only=lambda inputs: "certificateBody" not in inputs,
        says="The certificate renews itself: it is proved by DNS.", controls=("ACM.1", "I1"),
        severity="medium",
    ),
]  # fmt: skip


def _targets(**inputs: object) -> World:
    return world(made(TARGETS, inputs=inputs))


@rule(
    "target-group-algorithm-fits", TARGETS,
    controls=("I1", "I2"), severity="medium",
    remedy="slow_start needs round_robin; least_outstanding_requests needs cross-zone balancing",
    passing=[
        _targets(loadBalancingAlgorithmType="least_outstanding_requests", slowStart=0),
        _targets(loadBalancingAlgorithmType="round_robin", slowStart=30),
    ],
    failing=[
        _targets(loadBalancingAlgorithmType="least_outstanding_requests", slowStart=30),
        _targets(
            loadBalancingAlgorithmType="least_outstanding_requests", loadBalancingCrossZoneEnabled="false"
        ),
    ],
)  # fmt: skip
def algorithm_fits(targets: Resource, _: World) -> Iterable[str]:
    """Nothing is combined with the load balancing algorithm that AWS refuses or that undoes it."""
    if targets.inputs.get("loadBalancingAlgorithmType") != "least_outstanding_requests":
        return
    if targets.inputs.get("slowStart"):
        yield f"slowStart is {targets.inputs['slowStart']} with least_outstanding_requests"
    if targets.inputs.get("loadBalancingCrossZoneEnabled") == "false":
        yield "cross-zone balancing is off with least_outstanding_requests"


RULES = [*SETTINGS, algorithm_fits]

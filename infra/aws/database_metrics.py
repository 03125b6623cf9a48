"""The role by which RDS writes the machine's own metrics (enhanced monitoring)."""

from __future__ import annotations

import pulumi_aws as aws
from pulumi import Output, ResourceOptions

from infra.aws.policy_document import Statement, as_json, document
from slipway.settings.aws_names import AwsNames

_POLICY = "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
"""AWS's own: writes to the log group RDSOSMetrics and nowhere else."""


def metrics_role(name: str, names: AwsNames, opts: ResourceOptions) -> Output[str]:
    """Its ARN, once the policy is attached: RDS tries the role at once."""
    role = aws.iam.Role(
        f"{name}-role",
        name=f"{names.fleet}-metrics",
        description="RDS writes the database machine's metrics",
        assume_role_policy=as_json(
            document(
                Statement(
                    "Rds",
                    ["sts:AssumeRole"],
                    principals={"Service": "monitoring.rds.amazonaws.com"},
                    conditions={"StringEquals": {"aws:SourceAccount": names.account}},
                )
            )
        ),
        opts=opts,
    )
    attached = aws.iam.RolePolicyAttachment(f"{name}-policy", role=role.name, policy_arn=_POLICY, opts=opts)
    return Output.all(role.arn, attached.id).apply(lambda parts: str(parts[0]))

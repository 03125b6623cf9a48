"""The services that a stack uses, as Terraform's provider names their endpoints."""

from __future__ import annotations

ENDPOINTS = (
    "acm",
    "autoscaling",
    "budgets",
    "cloudtrail",
    "cloudwatch",
    "ec2",
    "elasticache",
    "elbv2",
    "events",
    "iam",
    "kms",
    "logs",
    "rds",
    "route53",
    "s3",
    "secretsmanager",
    "ses",
    "sesv2",
    "sns",
    "sqs",
    "ssm",
    "sts",
    "wafv2",
)
"""Each is sent to the emulator; a service that is not here would be asked at AWS, without credentials."""

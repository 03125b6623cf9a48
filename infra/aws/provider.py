"""The AWS account that this stack is made in, and no other."""

from __future__ import annotations

import pulumi_aws as aws

from slipway.settings.aws_names import AwsNames


def aws_provider(names: AwsNames, profile: str) -> aws.Provider:
    """The one provider of all parts: it refuses any other account and tags all it makes.

    Explicit, so that neither an environment variable nor a stray `aws:region` decides where a stack is.
    """
    return aws.Provider(
        "aws",
        region=names.region,
        profile=profile or None,
        allowed_account_ids=[names.account],
        default_tags=aws.ProviderDefaultTagsArgs(tags=names.tags),
    )

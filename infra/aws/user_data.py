"""User data: the first thing a new host runs."""

from __future__ import annotations

import base64

from hosts.kit.user_data import user_data
from slipway.settings.aws_names import AwsNames


def encoded_user_data(names: AwsNames, role: str) -> str:
    """What a launch template of `role` carries, in base64.

    Made of names alone: what a host sets itself up with lies in the builds bucket, so that another kit or
    release is no reason to replace hosts.
    """
    text = user_data(names, role, names.region, names.bucket("builds"))
    return base64.b64encode(text.encode()).decode()

"""User data: what a new machine runs first. Static for a stack and role, small, and without any secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from hosts.agent.signature import KIT
from hosts.render import render
from slipway.settings import BadInput
from slipway.settings.aws_names import AwsNames

MAX_BYTES = 16_384
"""EC2's limit, before base64."""
PATIENCE_MINUTES = 15
"""How long a new host retries before it gives up and stays unready."""
_AGENT = Path(__file__).parents[1] / "agent"
_EMBEDDED = ("sigv4.py", "imds.py")


def user_data(
    names: AwsNames, role: str, region: str, bucket: str, endpoints: Mapping[str, str] | None = None
) -> str:
    """The program that cloud-init runs as root on a new host of `role`; `bucket` is the builds bucket.

    `endpoints` moves services elsewhere, by name: imds, s3, sts, secretsmanager, ssm, parameters.
    """
    text = render(
        "cloud-init/host.py.j2",
        fleet=names.fleet,
        role=role,
        region=region,
        bucket=bucket,
        parameter=names.setup_parameter,
        namespace=KIT,
        endpoints=dict(endpoints or {}),
        patience_minutes=PATIENCE_MINUTES,
        embedded=_embedded(),
    )
    if len(text.encode()) > MAX_BYTES:
        raise AssertionError(f"user data of {len(text.encode())} bytes: EC2 takes {MAX_BYTES}")
    return text


def bake_user_data(
    names: AwsNames,
    role: str,
    kit: Mapping[str, str],
    python: Mapping[str, Mapping[str, str]],
    result: str,
    endpoints: Mapping[str, str] | None = None,
) -> str:
    """The program that makes of a new machine what an image of hosts of `role` is made of.

    `kit` and each of `python` (the archives of Python packages, by target): `url` and `sha256`. `result`: the
    URL to which the machine writes how it went. BadInput: the signer's credentials make the URLs too long.
    """
    text = render(
        "cloud-init/bake.py.j2",
        fleet=names.fleet,
        role=role,
        kit=dict(kit),
        python={target: dict(archive) for target, archive in python.items()},
        result=result,
        endpoints=dict(endpoints or {}),
        patience_minutes=PATIENCE_MINUTES,
    )
    if len(text.encode()) > MAX_BYTES:
        raise BadInput(
            f"user data has {len(text.encode())} bytes and EC2 takes {MAX_BYTES}: the token is too long",
            remedy="use credentials with a shorter token: a role's in place of a federated user's",
        )
    return text


def _embedded() -> str:
    """The agent's code for signing and for the metadata service, without what only a module needs."""
    texts = [(_AGENT / name).read_text() for name in _EMBEDDED]
    joined = "\n\n".join(re.sub(r'\A""".*?"""\n', "", text, flags=re.DOTALL).strip() for text in texts)
    lines = [line for line in joined.splitlines() if not line.startswith(("from __future__", "from ."))]
    imports = [line for line in lines if line.startswith(("import ", "from "))]
    rest = [line for line in lines if line not in imports]
    return "\n".join([*dict.fromkeys(imports), *rest])

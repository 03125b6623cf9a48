"""A stack's roles, secrets, buckets and key with the policies that the program gives them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from infra.recording import Graph, Resource
from infra.recording.graph import references
from tests.infra.access.evaluator import Caller, Policy, Request, decide
from tests.infra.access.variables import Context

ACCOUNT = "123456789012"
REGION = "us-east-1"
VIA_SECRETS = {"kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com"}
"""Secrets Manager decrypts for whoever reads."""
INSTANCE = "i-0123456789abcdef0"


class Missing(KeyError):
    """The stack has no such role, secret or bucket."""


@dataclass(frozen=True)
class Estate:
    """Of one stack, from its recorded graph."""

    graph: Graph

    @property
    def stack(self) -> str:
        """`prod`"""
        return self.graph.stack

    @property
    def fleet(self) -> str:
        """`board-prod`"""
        return f"{self.graph.project}-{self.stack}"

    def secret(self, what: str) -> str:
        """ARN of `app`, `database`, `boot/web`, `boot/worker`."""
        name = f"slipway/{self.graph.project}/{self.stack}/{what}"
        return f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}-AbCdEf"

    def bucket(self, what: str) -> str:
        """ARN of `builds`, `uploads`, `logs`."""
        return f"arn:aws:s3:::{self.fleet}-{what}-{ACCOUNT}"

    @property
    def key(self) -> str:
        """ARN of the stack's key."""
        return f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{self.stack}"

    @property
    def outputs(self) -> str:
        """ARN of the parameter with the stack outputs."""
        return f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/slipway/{self.graph.project}/{self.stack}/outputs"

    def role(self, what: str) -> str:
        """ARN of `web`, `worker`, `deploy`, `preview`, `proxy`."""
        return f"arn:aws:iam::{ACCOUNT}:role/{self.fleet}-{what}"

    @cached_property
    def roles(self) -> dict[str, Resource]:
        """Every role by name; `flow-log` and the like are called by their logical name."""
        found = self.graph.of("aws:iam/role:Role")
        return {each.inputs.get("name", each.name).removeprefix(f"{self.fleet}-"): each for each in found}

    def policies(self, role: str) -> list[Policy]:
        """What is written into the role."""
        made = self._role(role)
        return [
            self._document(each.inputs["policy"])
            for each in self.graph.of("aws:iam/rolePolicy:RolePolicy")
            if each.inputs["role"]
            in (made.inputs.get("name"), f"${{{made.address}.id}}", f"${{{made.address}.name}}")
        ]

    def trust(self, role: str) -> Policy:
        """Who may take the role."""
        return self._document(self._role(role).inputs["assumeRolePolicy"])

    def tags(self, role: str) -> dict[str, str]:
        """Condition keys that the role's own tags become."""
        return {
            f"aws:PrincipalTag/{key}": value for key, value in self._role(role).inputs.get("tags", {}).items()
        }

    def resource_policy(self, arn: str) -> Policy | None:
        """What the secret, bucket or key itself says; None: nothing."""
        for each in self.graph:
            if (place := self._holder(each)) and (arn == place or arn.startswith(f"{place}/")):
                return self._document(each.inputs["policy"])
        return None

    def _holder(self, resource: Resource) -> str:
        """ARN of what `resource` is the policy of."""
        match resource.type.rpartition(":")[2], resource.inputs:
            case "BucketPolicy", {"bucket": str(bucket)}:
                return f"arn:aws:s3:::{self._text(bucket)}"
            case "SecretPolicy", {"secretArn": str(arn)}:
                return self._text(arn)
            case "Key", {"policy": _}:
                return self.key
            case _:
                return ""

    def _role(self, name: str) -> Resource:
        if name not in self.roles:
            raise Missing(f"{self.fleet} has no role {name}; it has {', '.join(sorted(self.roles))}")
        return self.roles[name]

    def _document(self, text: str) -> dict[str, Any]:
        return json.loads(self._text(text))

    def _text(self, text: str) -> str:
        """With references as what AWS would make."""
        for found in references(text):
            text = text.replace(found.text, self._made(found.address, found.attribute))
        return text

    def _made(self, address: str, attribute: str) -> str:
        made = self.graph.by_address(address)
        name = str(made.inputs.get("name") or made.inputs.get("bucket")) if made else ""
        if address.startswith("aws_s3_bucket."):
            return f"arn:aws:s3:::{name}" if attribute == "arn" else name
        if address.startswith("aws_secretsmanager_secret."):
            return f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}-AbCdEf"
        if address.startswith("aws_kms_key."):
            return self.key
        return f"arn:aws:{address.partition('.')[0]}:{REGION}:{ACCOUNT}:{name or address}"


@dataclass(frozen=True)
class Session:
    """A role of a stack in use."""

    estate: Estate
    role: str
    also: tuple[Policy, ...] = ()
    """Policies that somebody attached to it later."""

    @property
    def userid(self) -> str:
        """`AROA…:i-…`, as EC2 makes it."""
        return f"AROA{self.estate.stack.upper()}{self.role.upper()}:{INSTANCE}"

    def may(self, action: str, arn: str, owner: Estate | None = None, context: Context | None = None) -> str:
        """The decision about `arn`, which `owner` has (default: the session's own stack)."""
        owner = owner or self.estate
        service = action.partition(":")[0]
        always = {
            "aws:userid": self.userid,
            "aws:SourceAccount": ACCOUNT,
            "s3:ResourceAccount": ACCOUNT,
            "s3:TlsVersion": "1.3",
            **self.estate.tags(self.role),
        }
        caller = Caller(self.estate.role(self.role))
        request = Request(caller, action, arn, {**always, **(context or {})})
        own = [*self.estate.policies(self.role), *self.also]
        return decide(request, own, owner.resource_policy(arn), resource_must_allow=service == "kms")

    def reads_secret(self, what: str, owner: Estate | None = None) -> bool:
        """Can it have the secret's value: the secret and the key under it?"""
        owner = owner or self.estate
        return (
            self.may("secretsmanager:GetSecretValue", owner.secret(what), owner) == "allowed"
            and self.may("kms:Decrypt", owner.key, owner, context=VIA_SECRETS) == "allowed"
        )

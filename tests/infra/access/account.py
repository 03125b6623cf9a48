"""One account with both stacks' roles and buckets, as they were applied: roles try what they may."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from tests.infra.emulator import found
from tests.infra.emulator.applied import Applied
from tests.infra.emulator.reach import Keys, checked, client

OBJECT = "users/1/a.png"
"""Lies in every bucket from the beginning, beside `builds/1/manifest.json`."""
ROLES = ("web", "worker", "deploy", "preview")


@dataclass(frozen=True)
class Account:
    """An emulator of its own, so that the applied ones stay as they are."""

    endpoint: str

    def take_over(self, applied: Applied) -> None:
        """Copy a stack's buckets and roles with their policies."""
        s3, iam = client("s3", self.endpoint), client("iam", self.endpoint)
        for name in found.buckets(applied):
            s3.create_bucket(Bucket=name)
            for key in (OBJECT, "builds/1/manifest.json"):
                s3.put_object(Bucket=name, Key=key, Body=b"there before")
            s3.put_bucket_policy(Bucket=name, Policy=json.dumps(found.bucket_policy(applied, name)))
        for role in ROLES:
            name = f"{applied.fleet}-{role}"
            there = applied.ask("iam").get_role(RoleName=name)["Role"]
            trust = json.dumps(there["AssumeRolePolicyDocument"])
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust, Tags=there.get("Tags", []))
            for number, policy in enumerate(found.policies(applied, role)):
                document = json.dumps(policy)
                iam.put_role_policy(RoleName=name, PolicyName=f"policy-{number}", PolicyDocument=document)

    def role(self, fleet: str, role: str, session: str = "i-0123456789abcdef0") -> Actor:
        """A session of the role, as EC2 or GitHub would get one."""
        arn = f"arn:aws:iam::123456789012:role/{fleet}-{role}"
        got = client("sts", self.endpoint).assume_role(RoleArn=arn, RoleSessionName=session)
        keys = got["Credentials"]
        return Actor(
            self.endpoint,
            Keys(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"]),
            got["AssumedRoleUser"]["AssumedRoleId"],
        )


@dataclass(frozen=True)
class Actor:
    """A role in use: each method says whether it was let."""

    endpoint: str
    keys: Keys
    userid: str

    def reads(self, bucket: str, key: str) -> bool:
        """GetObject"""
        return self._is_let("get_object", Bucket=bucket, Key=key)

    def writes(self, bucket: str, key: str) -> bool:
        """PutObject"""
        return self._is_let("put_object", Bucket=bucket, Key=key, Body=b"x")

    def deletes(self, bucket: str, key: str) -> bool:
        """DeleteObject"""
        return self._is_let("delete_object", Bucket=bucket, Key=key)

    def lists(self, bucket: str, prefix: str) -> bool:
        """ListObjectsV2"""
        return self._is_let("list_objects_v2", Bucket=bucket, Prefix=prefix)

    def _is_let(self, call: str, **given: Any) -> bool:
        with checked(self.endpoint):
            try:
                getattr(client("s3", self.endpoint, self.keys), call)(**given)
            except ClientError as error:
                if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") != 403:
                    raise
                return False
            return True

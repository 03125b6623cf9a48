"""`python -m tests.infra.emulator.server <port>`: moto's server on 127.0.0.1, with three things put right.

1. A load balancer is active at once: the provider would wait another round, 60 s instead of 30.
2. A policy's statement is judged by `tests.infra.access.evaluator`: moto takes one with NotResource for an
   Allow and looks at no condition, principal or variable, so that a Deny without TLS denies everything. Who
   asks, what about, and which policies there are remains moto's. Requests count as made over TLS.
3. Requests are answered one after the other: moto keeps its state in dictionaries, which one thread may not
   read while another changes them.
"""

from __future__ import annotations

import contextvars
import os
import sys
from collections.abc import Iterable
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.infra.access.evaluator import Caller, Request, concerns, names

_ANYBODY = Caller("anonymous", "Service")
_caller: contextvars.ContextVar[Caller] = contextvars.ContextVar("caller", default=_ANYBODY)
_context: contextvars.ContextVar[dict[str, str]] = contextvars.ContextVar("context")


def main() -> None:
    """Serve until ended."""
    os.environ["MOTO_ACM_VALIDATION_WAIT"] = "0"
    os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
    os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"
    from moto import server  # noqa: PLC0415 - it reads the environment

    _active_at_once()
    _judged_with_conditions()
    _one_after_the_other()
    server.main(["-H", "127.0.0.1", "-p", sys.argv[1]])


def _active_at_once() -> None:
    from moto.elbv2.models import FakeLoadBalancer  # noqa: PLC0415

    original = FakeLoadBalancer.__init__

    def active(self: Any, *given: Any, **named: Any) -> None:
        original(self, *given, **named)
        self.activate()

    FakeLoadBalancer.__init__ = active  # pyright: ignore[reportAttributeAccessIssue]


def _one_after_the_other() -> None:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication  # noqa: PLC0415

    original = DomainDispatcherApplication.__call__
    turn = Lock()

    def alone(self: Any, *given: Any) -> Iterable[bytes]:
        with turn:
            return original(self, *given)

    DomainDispatcherApplication.__call__ = alone  # pyright: ignore[reportAttributeAccessIssue]


def _judged_with_conditions() -> None:
    from moto.iam import access_control as iam  # noqa: PLC0415

    checked = iam.IAMRequestBase.check_action_permitted

    def is_action_permitted(self: Any, action: str, resource: str = "*", *_: Any) -> Any:
        statement = self._statement
        request = Request(_caller.get(), action, resource, _context.get({}))
        of_a_resource = "Principal" in statement or "NotPrincipal" in statement
        allows = statement["Effect"] == "Allow"
        if not concerns(statement, request) or (
            of_a_resource and not names(statement, request.caller, itself=allows)
        ):
            return iam.PermissionResult.NEUTRAL
        return iam.PermissionResult.PERMITTED if allows else iam.PermissionResult.DENIED

    def check_action_permitted(self: Any, resource: str) -> None:
        caller, about = _who(self._access_key)
        _caller.set(caller)
        _context.set({**about, **_of_the_request(self)})
        checked(self, resource)

    iam.IAMPolicyStatement.is_action_permitted = is_action_permitted  # pyright: ignore[reportAttributeAccessIssue]
    iam.IAMRequestBase.check_action_permitted = check_action_permitted


def _who(key: Any) -> tuple[Caller, dict[str, str]]:
    """The caller and the condition keys about it; `key` is moto's, of a user or of an assumed role."""
    from moto.iam.models import iam_backends  # noqa: PLC0415
    from moto.sts.models import sts_backends  # noqa: PLC0415

    for role in sts_backends[key.account_id]["aws"].assumed_roles:
        if role.access_key_id == key.create_credentials().access_key:
            tags = iam_backends[key.account_id]["aws"].get_role_by_arn(role.role_arn).tags
            tagged = {f"aws:PrincipalTag/{each['Key']}": each["Value"] for each in tags}
            return Caller(role.role_arn), {"aws:userid": role.user_id, **tagged}
    return Caller(key.arn), {}


def _of_the_request(request: Any) -> dict[str, str]:
    """Condition keys of S3: from the address and the headers, and as one over TLS to the own account."""
    path: str = request._path
    query = dict(parse_qsl(urlsplit(path).query, keep_blank_values=True))
    found = {f"s3:{key}": query[key] for key in ("prefix", "delimiter") if key in query}
    found |= {"s3:ResourceAccount": request.account_id, "s3:TlsVersion": "1.3"}
    headers = {key.lower(): value for key, value in request._headers.items()}
    return found | {
        f"s3:{key}": value for key, value in headers.items() if key.startswith("x-amz-server-side")
    }


if __name__ == "__main__":
    main()

"""Our signatures are botocore's."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials

from slipway.storage.sigv4 import EMPTY_SHA256, Credentials, Request, encode_path, encode_query, sign

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


@pytest.mark.parametrize("token", [None, "session-token"])
@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("GET", "/bucket/stacks/prod/head.json", {}),
        ("PUT", "/bucket/odd key+ü~(1).json", {}),
        ("GET", "/bucket", {"list-type": "2", "prefix": "a b/c+d=", "start-after": "ü"}),
        ("POST", "/bucket/layer", {"uploads": ""}),
    ],
)
def test_a_signature_is_the_one_that_botocore_makes(
    method: str, path: str, query: dict[str, str], token: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def now() -> datetime:
        return NOW.replace(tzinfo=None)

    monkeypatch.setattr("botocore.auth.get_current_datetime", now)
    wire, text = encode_path(path), encode_query(query)
    url = f"https://s3.example:9000{wire}" + (f"?{text}" if text else "")
    theirs = AWSRequest(method=method, url=url, headers={"Host": "s3.example:9000"})
    theirs.context["payload_signing_enabled"] = True
    S3SigV4Auth(BotoCredentials("AKID", "secret", token), "s3", "eu-central-1").add_auth(theirs)
    ours = sign(
        Credentials("AKID", "secret", token),
        "eu-central-1",
        Request(method, "s3.example:9000", wire, text, {"Content-Type": "application/json"}, EMPTY_SHA256),
        NOW.timestamp(),
    )
    assert ours["Authorization"] == theirs.headers["Authorization"]


def test_secret_parts_are_not_in_the_repr() -> None:
    shown = repr(Credentials("AKID", "canary", "canary"))
    assert "AKID" in shown
    assert "canary" not in shown

"""Who can have and write which object, by the recorded policies; `test_objects_live` tries it for real."""

from __future__ import annotations

import pytest

from tests.infra.access.estate import INSTANCE, Estate, Session
from tests.infra.access.test_secrets import ADMINISTRATOR

HOSTS = ("web", "worker")


@pytest.mark.parametrize("role", HOSTS)
def test_a_host_reads_builds_and_cannot_write_them(own: Estate, role: str):
    session, build = Session(own, role), f"{own.bucket('builds')}/builds/1/manifest.json"
    assert session.may("s3:GetObject", build) == "allowed"
    for action in ("PutObject", "PutObjectAcl", "DeleteObject", "DeleteObjectVersion"):
        assert session.may(f"s3:{action}", build) != "allowed"


@pytest.mark.parametrize("role", HOSTS)
def test_a_host_publishes_its_own_key_and_nobody_elses(own: Estate, role: str):
    session, keys = Session(own, role), f"{own.bucket('builds')}/hosts"
    assert session.may("s3:PutObject", f"{keys}/{session.userid}") == "allowed"
    neighbour = session.userid.replace(INSTANCE, "i-0fedcba9876543210")
    assert session.may("s3:PutObject", f"{keys}/{neighbour}") == "denied"
    assert session.may("s3:DeleteObject", f"{keys}/{neighbour}") != "allowed"


@pytest.mark.parametrize("role", HOSTS)
def test_a_host_writes_only_where_the_app_keeps_uploads(own: Estate, role: str):
    session, uploads = Session(own, role), own.bucket("uploads")
    assert session.may("s3:PutObject", f"{uploads}/users/1/a.png") == "allowed"
    assert session.may("s3:GetObject", f"{uploads}/users/1/a.png") == "allowed"
    for key in ("a.png", "userses/a.png", "elsewhere/a.png"):
        assert session.may("s3:PutObject", f"{uploads}/{key}") == "denied"


@pytest.mark.parametrize("role", HOSTS)
def test_a_host_lists_only_where_the_app_keeps_uploads(own: Estate, role: str):
    session, uploads = Session(own, role), own.bucket("uploads")
    assert session.may("s3:ListBucket", uploads, context={"s3:prefix": "users/1/"}) == "allowed"
    assert session.may("s3:ListBucket", uploads, context={"s3:prefix": ""}) != "allowed"
    assert session.may("s3:ListBucket", uploads) != "allowed"


@pytest.mark.parametrize("role", [*HOSTS, "deploy", "preview"])
@pytest.mark.parametrize("what", ["builds", "uploads", "logs"])
def test_no_role_is_let_at_another_stacks_objects(own: Estate, other: Estate, role: str, what: str):
    arn = f"{other.bucket(what)}/users/1/a.png"
    for action in ("s3:GetObject", "s3:PutObject", "s3:DeleteObject"):
        assert Session(own, role).may(action, arn, other) != "allowed"
        assert Session(own, role, also=(ADMINISTRATOR,)).may(action, arn, other) == "denied"


@pytest.mark.parametrize("role", [*HOSTS, "deploy"])
def test_no_role_can_open_a_bucket(own: Estate, role: str):
    for action in ("PutBucketPolicy", "DeleteBucketPolicy", "PutBucketPublicAccessBlock", "DeleteBucket"):
        for what in ("builds", "uploads", "logs"):
            assert Session(own, role).may(f"s3:{action}", own.bucket(what)) != "allowed"


def test_plain_http_is_refused_even_to_the_pipeline(own: Estate):
    build = f"{own.bucket('builds')}/builds/1/manifest.json"
    deploy = Session(own, "deploy")
    assert deploy.may("s3:GetObject", build) == "allowed"
    assert deploy.may("s3:GetObject", build, context={"aws:SecureTransport": "false"}) == "denied"

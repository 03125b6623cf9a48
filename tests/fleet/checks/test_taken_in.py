"""Checks of webhooks, writes and uploads fail on an app that accepts too much."""

from __future__ import annotations

import pytest

from tests.fleet.checks.breaking import Break, answered, edge, header, uploads, without
from tests.fleet.checks.harness import Case, prove
from tests.fleet.site import Site

HOOK = "{ path /webhooks/inbound }"
BEGIN = "{ path /api/uploads } { method POST }"
TASKS = "{ path /api/tasks } { method POST }"


def begun(expires: int, signed: int = 9) -> Break:
    """Every upload begins with a URL of that life: as its answer says, and as it is signed."""
    url = f"https://localhost/x?X-Amz-Date=20200101T000000Z&X-Amz-Expires={signed}"
    body = f'{{"url":"{url}","key":"users/a/b","expiresIn":{expires}}}'
    return edge(answered(201, body, BEGIN))


CASES = (
    Case(
        "webhooks without a signature",
        edge(answered(200, '{"status":"taken"}', HOOK)),
        red=(
            "X15/an-unsigned-webhook-is-refused",
            "X15/an-old-webhook-is-refused",
            "X15/a-webhook-sent-twice-acts-once",
        ),
    ),
    Case(
        "an old webhook is accepted",
        edge(
            answered(
                200, "{}", f"{HOOK} {{ req.hdr(x-webhook-timestamp),neg,add(txn.now) -m int gt 600 }}"
            ).replace("http-request return", "http-request set-var(txn.now) date\n    http-request return")
        ),
        red=("X15/an-old-webhook-is-refused",),
        run=("X15/an-old", "X15/a-webhook-sent", "X15/an-unsigned"),
    ),
    Case(
        "any field is accepted",
        edge(answered(201, '{"id":"x","role":"admin","isAdmin":true}', TASKS)),
        red=("X16/unknown-fields-are-refused-or-ignored",),
        says="role",
    ),
    Case(
        "uploads of any size and type, for a week",
        begun(604_800),
        red=(
            "X9/an-upload-over-the-limit-is-refused",
            "X9/an-upload-of-a-wrong-type-is-refused",
            "X9/presigned-urls-live-for-minutes",
        ),
    ),
    Case(
        "a URL that lives longer than its answer says",
        begun(300, signed=604_800),
        red=("X9/presigned-urls-live-for-minutes",),
        says="604800",
    ),
    Case(
        "a picture that browsers run",
        edge(answered(201, "{}", f"{BEGIN} {{ req.body -m sub -i svg }}")),
        red=("X9/an-upload-of-a-wrong-type-is-refused",),
        says="image/svg+xml",
    ),
    Case(
        "a page by a type in capitals",
        edge(answered(201, "{}", f"{BEGIN} {{ req.body -m sub TEXT/HTML }}")),
        red=("X9/an-upload-of-a-wrong-type-is-refused",),
        says="TEXT/HTML",
    ),
    Case(
        "a script",
        edge(answered(201, "{}", f"{BEGIN} {{ req.body -m sub javascript }}")),
        red=("X9/an-upload-of-a-wrong-type-is-refused",),
        says="javascript",
    ),
    Case(
        "uploads whose type a browser guesses",
        uploads(without("X-Content-Type-Options")),
        red=("X9/what-was-uploaded-runs-no-script",),
        says="X-Content-Type-Options",
    ),
    Case(
        "uploads that run scripts",
        uploads(header("Content-Security-Policy", "default-src *")),
        red=("X9/what-was-uploaded-runs-no-script",),
        says="default-src *",
    ),
    Case(
        "a bucket that anyone may write to",
        uploads("http-request return status 200 if { method PUT }"),
        red=(
            "X9/a-presigned-url-accepts-only-what-was-announced",
            "X9/a-changed-presigned-url-is-refused",
            "X9/an-expired-presigned-url-is-refused",
            "X9/the-uploads-bucket-is-private",
        ),
    ),
    Case(
        "a bucket that anyone may read",
        uploads("http-request return status 200 if { method GET } { query list-type=2 }"),
        red=("X9/the-uploads-bucket-is-private",),
        says="list-type",
    ),
)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_check_fails(whole: Site, case: Case) -> None:
    prove(whole, case)

"""What belongs to one user is out of another's reach: two users, and an upload that is there (X9, I7)."""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import dataclass

import pytest

from checks.exposed.presigned import delete_upload
from checks.kit.check import check, could_not_be_tried, not_evaluated
from checks.kit.roots import Roots, stand_on
from checks.kit.site import Person, Site, env_of_other, sign_in_person
from slipway.stack import CheckUpload, SlipwayError
from slipway.traffic import pick

CONTENT = b"\x89PNG\r\n\x1a\n slipway check"
STORED = "X9/a-user-stores-what-was-announced"


@dataclass(frozen=True)
class Stored:
    """An upload of `checks.other_user`, and how storing its bytes was answered."""

    owner: Person
    key: str
    status: int


@pytest.fixture(scope="module")
def other(site: Site, roots: Roots) -> Person:
    """Another ordinary user, signed in."""
    stand_on(roots.sign_in())
    try:
        return sign_in_person(site, site.live, env_of_other(site.live))
    except SlipwayError as error:
        raise AssertionError(f"checks.other_user cannot sign in: {error.message}") from None


@pytest.fixture(scope="module")
def stored(site: Site, other: Person) -> Generator[Stored]:
    """An upload of the other user, with its bytes in the bucket; deleted afterwards."""
    upload = _declared(site)
    answer = other.ask(upload.request, {"size": str(len(CONTENT))}, upload.body)
    assert answer.status_code == upload.status, f"{upload.request} answers {answer.status_code}"
    document = json.loads(answer.text)
    key = pick(document, upload.key)
    kind = str(upload.body.get("contentType", "application/octet-stream"))
    put = site.at_uploads("PUT", pick(document, upload.url), content=CONTENT, headers={"Content-Type": kind})
    yield Stored(other, key, put.status_code)
    delete_upload(site, key)


@check(
    "X9",
    "I6",
    severity="high",
    why="if the right upload is refused as well, the refusal of wrong ones proves nothing",
    remedy="can browsers reach the uploads bucket, and does its account sign for the right bucket and key?",
    needs=("smoke.steps", "checks.other_user", "checks.upload", "slipway:uploads"),
)
def test_a_user_stores_what_was_announced(site: Site, stored: Stored) -> None:
    assert 200 <= stored.status < 300, f"storing what was announced is answered with {stored.status}"
    uploads = site.live.outputs.uploads
    bucket = site.live.open_bucket(uploads, uploads) if uploads else None
    if bucket is not None:
        assert bucket.get_bytes(stored.key) == CONTENT, "what was stored is not what is there"


@check(
    "X9",
    "I7",
    severity="critical",
    asvs="8.2.2",
    standard="OWASP API1:2023",
    why="object keys can be guessed or leaked, so the owner must be checked",
    remedy="compare the owner of the object with the signed-in user",
    needs=("smoke.steps", "checks.other_user", "checks.upload.read", "slipway:uploads"),
)
def test_another_users_upload_is_refused(site: Site, person: Person, stored: Stored) -> None:
    read = _declared(site).read
    if read is None:
        not_evaluated("declare checks.upload.read in slipway.toml")
    if not 200 <= stored.status < 300:
        could_not_be_tried("there is no upload to reach", STORED)
    own = stored.owner.ask(read, {"key": stored.key}).status_code
    assert own not in (401, 403, 404, 429) and own < 500, (
        f"its owner is refused as well ({own}), so that the refusal of others proves nothing"
    )
    other = person.ask(read, {"key": stored.key}).status_code
    assert other in (403, 404), f"another user's request for an upload is answered with {other}"
    anonymous = site.request("GET", read.partition(" ")[2].replace("${key}", stored.key)).status_code
    assert anonymous == 401, f"an anonymous client is answered with {anonymous}"


def _declared(site: Site) -> CheckUpload:
    if site.live.app.checks.upload is None:
        not_evaluated("declare [checks.upload] in slipway.toml")
    return site.live.app.checks.upload

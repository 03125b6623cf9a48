"""Uploads: size, type, expiry, ownership (X9, I6, I7)."""

from __future__ import annotations

import json
import re
import time
from urllib.parse import parse_qs, urlsplit

from checks.exposed.hello import doors
from checks.exposed.presigned import account_of, delete_upload, signed_again
from checks.kit.check import check, not_evaluated
from checks.kit.site import Person, Site
from slipway.stack import CheckUpload
from slipway.traffic import pick

MOST_SECONDS = 900
"""Longest life of a presigned URL."""
RUN_BY_BROWSERS = (
    *("text/html", "TEXT/HTML", "text/html; charset=utf-8", "application/xhtml+xml", "image/svg+xml"),
    *("image/svg+xml; charset=utf-8", "IMAGE/SVG+XML", "text/xml", "application/xml", "text/javascript"),
    *("application/javascript", "text/xsl", "multipart/x-mixed-replace", "application/x-shockwave-flash", ""),
)
"""Types that a browser runs as a page or a script, as a client may write them; the last one it guesses."""
_MEDIA_TYPE = re.compile(r"^[a-z]+/[\w.+-]+$")


def _upload(site: Site) -> CheckUpload:
    if site.live.app.checks.upload is None:
        not_evaluated("declare [checks.upload] in slipway.toml")
    return site.live.app.checks.upload


def _begin(person: Person, size: int) -> tuple[str, str, float]:
    """A new upload: presigned URL, key, the URL's life in seconds."""
    upload = _upload(person.site)
    answer = person.ask(upload.request, {"size": str(size)}, upload.body)
    assert answer.status_code == upload.status, f"{upload.request} answers {answer.status_code}"
    document = json.loads(answer.text)
    return pick(document, upload.url), pick(document, upload.key), float(pick(document, upload.expires))


@check(
    "X9",
    severity="high",
    asvs="5.2.1",
    why="without a size limit one user can fill the storage",
    remedy="check the announced size before presigning",
    needs=("smoke.steps", "checks.upload"),
)
def test_an_upload_over_the_limit_is_refused(site: Site, person: Person) -> None:
    upload = _upload(site)
    status = person.ask(upload.request, {"size": str(upload.max_bytes + 1)}, upload.body).status_code
    assert 400 <= status < 500, f"an upload of {upload.max_bytes + 1} bytes is answered with {status}"


@check(
    "X9",
    severity="high",
    asvs="5.2.2",
    why="an uploaded HTML page could run scripts in other users' browsers",
    remedy="allow only a list of content types",
    needs=("smoke.steps", "checks.upload"),
)
def test_an_upload_of_a_wrong_type_is_refused(site: Site, person: Person) -> None:
    upload = _upload(site)
    named = [name for name, value in upload.body.items() if _MEDIA_TYPE.match(str(value))]
    wrong = [upload.wrong, *({name: kind} for name in named for kind in RUN_BY_BROWSERS)]
    if not any(wrong):
        not_evaluated("declare checks.upload.wrong in slipway.toml")
    accepted: list[str] = []
    for fields in filter(None, wrong):
        answer = person.ask(upload.request, {"size": "10"}, {**upload.body, **fields})
        if not 400 <= answer.status_code < 500:
            what = ", ".join(str(value) for value in fields.values())
            accepted.append(f"{what} is answered with {answer.status_code}")
    assert not accepted, "; ".join(accepted)


@check(
    "X9",
    severity="high",
    asvs="14.2.1",
    why="a long-lived link may be shared or leaked",
    remedy="presign URLs for minutes",
    needs=("smoke.steps", "checks.upload"),
)
def test_presigned_urls_live_for_minutes(person: Person) -> None:
    url, _, seconds = _begin(person, 10)
    assert 0 < seconds <= MOST_SECONDS, f"a presigned URL lives for {seconds:g} s"
    signed = parse_qs(urlsplit(url).query)
    # What the signature covers is what counts, not what the answer says.
    for name in ("X-Amz-Expires", "X-Goog-Expires"):
        for value in signed.get(name, []):
            lives = float(value) if value.isdecimal() else 0
            assert 0 < lives <= MOST_SECONDS, f"the URL is signed for {lives:g} s ({name})"
            assert lives <= seconds, f"the URL is signed for {lives:g} s, its answer says {seconds:g} s"
    if "Expires" in signed:  # signature version 2: seconds since 1970
        lives = float(signed["Expires"][0]) - time.time()
        assert lives <= MOST_SECONDS, f"the URL is signed for {lives:.0f} s (Expires)"


@check(
    "X9",
    severity="high",
    asvs="5.3.1",
    why="a presigned URL without size and type lets a client store anything in the bucket",
    remedy="sign Content-Length and Content-Type into the URL",
    needs=("smoke.steps", "checks.upload", "slipway:uploads"),
)
def test_a_presigned_url_accepts_only_what_was_announced(person: Person) -> None:
    url, _, _ = _begin(person, 10)
    kind = str(_upload(person.site).body.get("contentType", "application/octet-stream"))
    longer = person.site.at_uploads("PUT", url, content=b"x" * 5000, headers={"Content-Type": kind})
    assert longer.status_code >= 400, f"5000 bytes instead of 10 are answered with {longer.status_code}"
    other = person.site.at_uploads("PUT", url, content=b"x" * 10, headers={"Content-Type": "text/html"})
    assert other.status_code >= 400, f"another type is answered with {other.status_code}"


@check(
    "X9",
    severity="high",
    asvs="14.2.1",
    why="a changed URL must not open another object",
    remedy="give access by presigned URLs only",
    needs=("smoke.steps", "checks.upload", "slipway:uploads"),
)
def test_a_changed_presigned_url_is_refused(person: Person) -> None:
    url, key, _ = _begin(person, 10)
    other = url.replace(key.rpartition("/")[2], "00000000-0000-4000-8000-000000000000", 1)
    kind = str(_upload(person.site).body.get("contentType", "application/octet-stream"))
    for changed in (other, url.replace("X-Amz-Expires=", "X-Amz-Expires=9")):
        answer = person.site.at_uploads("PUT", changed, content=b"x" * 10, headers={"Content-Type": kind})
        assert answer.status_code in (400, 401, 403), f"a changed URL is answered with {answer.status_code}"


@check(
    "X9",
    "I6",
    severity="critical",
    asvs="14.2.1",
    why="users' uploads are private",
    remedy="the bucket is private: no anonymous read, no listing",
    needs=("slipway:uploads",),
)
def test_the_uploads_bucket_is_private(site: Site) -> None:
    uploads = site.live.outputs.uploads
    if uploads is None:
        not_evaluated("the stack has no uploads bucket (slipway:uploads)")
    for path in (f"/{uploads.bucket}", f"/{uploads.bucket}/?list-type=2", f"/{uploads.bucket}/users/x"):
        status = site.at_uploads("GET", path).status_code
        assert status in (400, 401, 403, 404), f"GET {path} answers an anonymous client with {status}"
        assert status != 404 or not path.endswith("/users/x"), "an anonymous client learns which keys exist"
    put = site.at_uploads("PUT", f"/{uploads.bucket}/users/x", content=b"x").status_code
    assert put in (400, 401, 403), f"PUT answers an anonymous client with {put}"


@check(
    "X9",
    severity="medium",
    asvs="14.2.1",
    why="a link that works after its expiry gives access for good",
    remedy="let the object store check the expiry of the signature",
    needs=("smoke.steps", "checks.upload", "slipway:uploads"),
)
def test_an_expired_presigned_url_is_refused(person: Person) -> None:
    url, key, _ = _begin(person, 10)
    uploads = person.site.live.outputs.uploads
    secret = person.site.live.secret(uploads.secret_key_secret or "") if uploads else ""
    if uploads is None or not secret or account_of(url) != uploads.access_key:
        not_evaluated("this machine has no key of the account that presigns, so it cannot make an old URL")
    kind = str(_upload(person.site).body.get("contentType", "application/octet-stream"))
    headers = {"Content-Type": kind, "Content-Length": "10"}

    def put(age: float) -> int:
        signed = signed_again("PUT", url, headers, secret, time.time() - age)
        return person.site.at_uploads("PUT", signed, content=b"x" * 10, headers=headers).status_code

    try:
        old = put(7200)
        assert old in (400, 401, 403), f"a URL that expired two hours ago is answered with {old}"
        new = put(0)
        # It differs in its date alone: without this the refusal could be one of the signature.
        assert 200 <= new < 300, f"the same URL of this moment is refused too ({new}), which proves nothing"
    finally:
        delete_upload(person.site, key)


@check(
    "X9",
    "X2",
    severity="high",
    asvs="3.2.1",
    why="an uploaded picture or page that runs scripts does so in the name of the site that shows it",
    remedy="edge.cfg, backend uploads: nosniff, and a Content-Security-Policy without scripts",
    needs=("slipway:uploads",),
)
def test_what_was_uploaded_runs_no_script(site: Site) -> None:
    uploads = site.live.outputs.uploads
    if uploads is None:
        not_evaluated("the stack has no uploads bucket (slipway:uploads)")
    if len(doors(site)) < 2:
        not_evaluated("browsers reach the uploads bucket at the provider's own address")
    headers = site.at_uploads("GET", f"/{uploads.bucket}/users/check").headers
    guessed = headers.get("x-content-type-options", "")
    assert guessed.lower() == "nosniff", f"X-Content-Type-Options is {guessed!r}"
    policy = headers.get("content-security-policy", "")
    directives = dict(part.strip().lower().partition(" ")[::2] for part in policy.split(";"))
    scripts = directives.get("script-src", directives.get("default-src", ""))
    sandboxed = "sandbox" in directives and "allow-scripts" not in directives["sandbox"]
    assert scripts.strip() == "'none'" or sandboxed, f"Content-Security-Policy is {policy!r}"

"""CORS: which other origins may read answers (X3)."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from checks.kit.check import check, not_evaluated
from checks.kit.site import Site, declared_request

AT_ONCE = 8
"""Requests at once: each is cheap, and there are many."""
PUBLIC = ("/", "/no-such-page")


def _foreign(site: Site) -> list[str]:
    """Foreign origins, also those that a careless comparison mistakes for the site's."""
    name, authority = site.live.host_name, site.authority
    return [
        "https://evil.example",
        "null",
        "file://",
        # Its beginning is compared, or a dot matches anything.
        f"https://{authority}.evil.example",
        f"https://{name}.evil.example",
        f"https://{name}-evil.example",
        f"https://{authority}@evil.example",
        f"https://{authority}%60.evil.example",
        f"https://{name.replace('.', 'x', 1)}x",
        # Its end is compared, or subdomains are let in unseen.
        f"https://evil{authority}",
        f"https://evil-{authority}",
        f"https://not.{authority}",
        f"https://evil.example/{site.live.url}",
        # Its scheme or port is not compared.
        f"http://{authority}",
        f"http://{name}",
        f"https://{name}:1",
        # Its case is changed first.
        f"{site.live.url.upper()}.evil.example",
    ]


def _echoed(site: Site, method: str, paths: Iterable[str], more: dict[str, str]) -> list[str]:
    """Which foreign origins the answers of `paths` permit."""

    def permitted(origin_and_path: tuple[str, str]) -> str:
        origin, path = origin_and_path
        headers = site.request(method, path, headers={"Origin": origin, **more}).headers
        allowed = headers.get("access-control-allow-origin")
        # A page and an error hold nothing of a user: any page may read them.
        good = allowed is None or allowed == site.live.url or (allowed == "*" and path in PUBLIC)
        return "" if good else f"{method} {path} answers {origin} with {allowed!r}"

    tries = [(origin, path) for origin in _foreign(site) for path in paths]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [found for found in pool.map(permitted, tries) if found]


@check(
    "X3",
    severity="high",
    asvs="3.4.2",
    standard="Mozilla Observatory: cors",
    why="any page that a signed-in user opens could read the user's data",
    remedy="compare the whole Origin with a list; never echo it",
    needs=("checks.signed_in",),
)
def test_foreign_origins_may_not_read(site: Site) -> None:
    admin = site.live.app.checks.admin
    paths = {declared_request(site, "signed_in")[1], *([admin.partition(" ")[2]] if admin else []), *PUBLIC}
    echoed = _echoed(site, "GET", sorted(paths), {})
    assert not echoed, "; ".join(echoed[:3])


@check(
    "X3",
    severity="high",
    asvs="3.4.2",
    why="an allowed preflight lets any page send requests with the user's session",
    remedy="answer a preflight of a foreign origin without Access-Control-Allow-*",
    needs=("checks.signed_in",),
)
def test_foreign_origins_get_no_preflight(site: Site) -> None:
    path = declared_request(site, "signed_in")[1]
    preflight = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    echoed = _echoed(site, "OPTIONS", [path], preflight)
    assert not echoed, "; ".join(echoed[:3])


@check(
    "X3",
    severity="critical",
    asvs="3.4.2",
    why="a wildcard with credentials gives every page access to the user's data",
    remedy="name the origin, and send Vary: Origin",
    needs=("checks.signed_in",),
)
def test_no_wildcard_goes_with_credentials(site: Site) -> None:
    path = declared_request(site, "signed_in")[1]
    for origin in (site.live.url, "https://evil.example"):
        headers = site.get(path, headers={"Origin": origin}).headers
        wild = headers.get("access-control-allow-origin") == "*"
        credentials = headers.get("access-control-allow-credentials", "").lower() == "true"
        assert not (wild and credentials), f"* with credentials for {origin}"
        assert not wild, f"* for {origin}, on a path for signed-in users"


@check(
    "X3",
    severity="medium",
    asvs="3.4.2",
    why="without Vary, a cache serves one origin's permission to another",
    remedy="send Vary: Origin wherever Access-Control-Allow-Origin depends on it",
    needs=("checks.signed_in",),
)
def test_answers_vary_by_origin(site: Site) -> None:
    headers = site.get(declared_request(site, "signed_in")[1], headers={"Origin": site.live.url}).headers
    if "access-control-allow-origin" not in headers:
        not_evaluated("the app allows no other origin on checks.signed_in, not even its own")
    assert "origin" in headers.get("vary", "").lower(), f"Vary is {headers.get('vary')!r}"


@check(
    "X3",
    "I6",
    severity="high",
    asvs="3.4.2",
    why="any page could use a user's upload URL",
    remedy="the bucket's CORS rule names the frontend's origin only (buckets.origins on aws)",
    needs=("slipway:uploads",),
)
def test_the_uploads_bucket_is_for_the_frontend_only(site: Site) -> None:
    uploads = site.live.outputs.uploads
    if uploads is None:
        not_evaluated("the stack has no uploads bucket (slipway:uploads)")
    for origin in _foreign(site):
        preflight = {"Origin": origin, "Access-Control-Request-Method": "PUT"}
        answer = site.at_uploads("OPTIONS", f"/{uploads.bucket}/users/check", headers=preflight)
        allowed = answer.headers.get("access-control-allow-origin")
        assert allowed is None, f"{origin} is answered with {allowed!r}"
    preflight = {"Origin": site.live.url, "Access-Control-Request-Method": "PUT"}
    answer = site.at_uploads("OPTIONS", f"/{uploads.bucket}/users/check", headers=preflight)
    allowed = answer.headers.get("access-control-allow-origin")
    assert allowed == site.live.url, f"the frontend itself is answered with {allowed!r}"

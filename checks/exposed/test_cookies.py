"""Session cookies and the sticky cookie (X4)."""

from __future__ import annotations

from checks.kit.check import check, not_evaluated
from checks.kit.site import Person, Site
from slipway.stack import STICKY_COOKIE

STICKY = (STICKY_COOKIE, "AWSALB", "__cf")
"""Names of load balancers' cookies, which identify a host and no user."""


def _session_cookies(person: Person) -> list[tuple[str, set[str]]]:
    """Name and lower-case attributes of every cookie that signing in set."""
    found: list[tuple[str, set[str]]] = []
    for line in person.cookies:
        first, *attributes = (part.strip() for part in line.split(";"))
        name = first.partition("=")[0]
        if not name.startswith(STICKY):
            found.append((name, {attribute.lower() for attribute in attributes}))
    if not found:
        not_evaluated("signing in sets no cookie")
    return found


@check(
    "X4",
    severity="high",
    asvs="3.3.4",
    standard="Mozilla Observatory: cookies",
    why="an injected script could steal the session cookie",
    remedy="set HttpOnly",
    needs=("smoke.steps",),
)
def test_session_cookies_are_hidden_from_scripts(person: Person) -> None:
    for name, attributes in _session_cookies(person):
        assert "httponly" in attributes, f"{name} has no HttpOnly"


@check(
    "X4",
    severity="high",
    asvs="3.3.1",
    standard="Mozilla Observatory: cookies",
    why="one plain HTTP request would send the session unencrypted",
    remedy="set Secure",
    needs=("smoke.steps",),
)
def test_session_cookies_travel_by_tls_only(person: Person) -> None:
    for name, attributes in _session_cookies(person):
        assert "secure" in attributes, f"{name} has no Secure"


@check(
    "X4",
    severity="high",
    asvs="3.3.2",
    why="other sites' forms would be sent with the user's session",
    remedy="set SameSite=Lax or Strict; with None, check a CSRF token",
    needs=("smoke.steps",),
)
def test_session_cookies_stay_on_the_site(person: Person) -> None:
    for name, attributes in _session_cookies(person):
        same = next((each.partition("=")[2] for each in attributes if each.startswith("samesite")), "")
        assert same in ("lax", "strict"), f"{name} has SameSite={same or 'nothing'}"


@check(
    "X4",
    severity="medium",
    asvs="3.3.3",
    why="a cookie for the whole domain is sent to every subdomain, also to a hijacked one",
    remedy="set no Domain, and the narrowest Path",
    needs=("smoke.steps",),
)
def test_session_cookies_are_for_this_host_only(person: Person) -> None:
    for name, attributes in _session_cookies(person):
        assert not any(each.startswith("domain=") for each in attributes), f"{name} has a Domain"


@check(
    "X4",
    "I2",
    severity="low",
    why="the load balancer's cookie needs no access by scripts either",
    remedy="edge.cfg: cookie … httponly secure",
    required=False,
)
def test_the_sticky_cookie_is_secure(site: Site) -> None:
    path = site.live.cheap_path
    lines = site.get(path).headers.get_list("set-cookie")
    sticky = [line for line in lines if line.startswith(STICKY)]
    if not sticky:
        not_evaluated("the load balancer sets no sticky cookie on the first answer")
    for line in sticky:
        attributes = {part.strip().lower() for part in line.split(";")[1:]}
        assert {"httponly", "secure"} <= attributes, f"{line.partition('=')[0]} has only {sorted(attributes)}"

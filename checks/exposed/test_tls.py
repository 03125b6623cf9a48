"""Transport: TLS enforced, modern, and with a certificate that lasts (X1, I1)."""

from __future__ import annotations

import http.client
import ssl
import warnings
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from checks.kit.check import check
from checks.kit.site import TIMEOUT, Site

YEAR_SECONDS = 31_536_000
MIN_DAYS = 14
"""The same limit as I10's alarm."""
WEAK_CIPHERS = "RC4:3DES:NULL:aNULL:EXPORT:DES:MD5:PSK:kRSA"
"""Broken, unauthenticated, or without forward secrecy."""


@check(
    "X1",
    severity="high",
    asvs="3.4.1",
    standard="Mozilla Observatory: hsts",
    why="one request over plain HTTP is enough for an attacker on the network to steal a session",
    remedy="the edge sends it: does something in front of it remove headers?",
)
def test_hsts_covers_a_year_and_subdomains(site: Site) -> None:
    for path in ("/", "/no-such-page"):
        value = site.get(path).headers.get("strict-transport-security", "")
        words = {word.strip().lower() for word in value.split(";")}
        ages = [int(word.partition("=")[2]) for word in words if word.startswith("max-age=")]
        assert ages, f"{path}: no Strict-Transport-Security with max-age, got {value!r}"
        assert ages[0] >= YEAR_SECONDS, f"{path}: max-age is {ages[0]} seconds, a year is {YEAR_SECONDS}"
        assert "includesubdomains" in words, f"{path}: subdomains are not covered: {value!r}"


@check(
    "X1",
    severity="critical",
    asvs="12.2.2",
    why="a certificate that clients do not trust does not prove who answers",
    remedy="slipway secrets set SITE_CERTIFICATE (platform servers), or the listener's certificate (aws)",
)
def test_the_certificate_is_trusted_and_for_this_name(edge: Site) -> None:
    try:
        edge.connect().close()
    except ssl.SSLCertVerificationError as error:
        pytest.fail(f"{edge.live.host_name}: {error.verify_message}")


@check(
    "X1",
    "I10",
    severity="critical",
    standard="Lynis CRYP-7902",
    why="when the certificate expires, every client is refused at once",
    remedy="renew it; did the alarm certificate-days reach anyone?",
)
def test_the_certificate_is_valid_for_two_more_weeks(edge: Site) -> None:
    ends = _certificate(edge).not_valid_after_utc
    days = (ends - datetime.now(UTC)).days
    assert days >= MIN_DAYS, f"it ends in {days} days, on {ends:%Y-%m-%d}"


@check(
    "X1",
    severity="high",
    asvs="12.1.2",
    why="a short key can be computed from the certificate",
    remedy="ask for a certificate with a P-256 key, or RSA of 2048 bits or more",
)
def test_the_certificates_key_is_long_enough(edge: Site) -> None:
    key = _certificate(edge).public_key()
    if isinstance(key, rsa.RSAPublicKey):
        assert key.key_size >= 2048, f"RSA of {key.key_size} bits"
    elif isinstance(key, ec.EllipticCurvePublicKey):
        assert key.key_size >= 256, f"an elliptic curve of {key.key_size} bits"


@check(
    "X1",
    severity="high",
    asvs="12.1.1",
    standard="DevSec ssl-baseline ssl3-tls11",
    why="TLS versions before 1.2 have known attacks",
    remedy="edge.cfg: ssl-min-ver TLSv1.2; aws: load_balancer.ssl_policy",
)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1], ids=["1.0", "1.1"])
def test_old_tls_is_refused(site: Site, version: ssl.TLSVersion) -> None:
    context = site.tls_context()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    # Otherwise our own side would refuse it, and prove nothing.
    context.set_ciphers("ALL:@SECLEVEL=0")
    assert not _shakes_hands(site, context), f"a client that offers only {version.name} is accepted"


@check(
    "X1",
    severity="medium",
    asvs="12.1.1",
    why="TLS 1.3 saves a round trip and removes weak options",
    remedy="edge.cfg: ssl-max-ver must not exclude TLSv1.3",
)
def test_tls_1_3_is_offered(site: Site) -> None:
    context = site.tls_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    assert _shakes_hands(site, context), "a client that only knows TLS 1.3 is turned away"


@check(
    "X1",
    severity="high",
    asvs="12.1.2",
    standard="DevSec ssl-baseline ciphers",
    why="without forward secrecy, recorded traffic can be decrypted with a key stolen later",
    remedy="edge.cfg: ssl-default-bind-ciphers with ECDHE and AEAD only; aws: load_balancer.ssl_policy",
)
def test_weak_ciphers_are_refused(site: Site) -> None:
    context = site.tls_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(f"{WEAK_CIPHERS}:@SECLEVEL=0")
    assert not _shakes_hands(site, context), "a client that offers only weak ciphers is accepted"


@check(
    "X1",
    severity="high",
    asvs="4.1.2",
    standard="Mozilla Observatory: redirection",
    why="a URL typed without https:// would be sent unencrypted",
    remedy="the edge answers port 80 with a redirect: is the port open, and does nothing else listen there?",
)
def test_plain_http_is_redirected_to_https(site: Site) -> None:
    status, location = _plainly(site, "/some/page?and=query", site.live.host_name)
    assert status in (301, 308), f"plain HTTP is answered with {status}"
    assert location.startswith("https://"), f"it leads to {location!r}"
    assert location.endswith("/some/page?and=query"), f"path and query are lost: {location!r}"


@check(
    "X1",
    severity="medium",
    asvs="4.1.2",
    why="an open redirect helps phishing",
    remedy="edge.cfg: redirect to the site's own name, not to the Host header that was sent",
)
def test_the_redirect_to_https_leads_nowhere_else(site: Site) -> None:
    status, location = _plainly(site, "/", "evil.example")
    assert status >= 400 or "evil.example" not in location, (
        f"a foreign Host header is sent on to {location!r}"
    )


def _certificate(site: Site) -> x509.Certificate:
    """The site's certificate, trusted or not."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with site.connect(context) as connection:
        der = connection.getpeercert(binary_form=True)
    if der is None:
        raise AssertionError("the site shows no certificate")
    return x509.load_der_x509_certificate(der)


def _shakes_hands(site: Site, context: ssl.SSLContext) -> bool:
    try:
        site.connect(context).close()
    except (ssl.SSLError, ConnectionError):
        return False
    return True


def _plainly(site: Site, path: str, host: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(*site.live.plain_address, timeout=TIMEOUT)
    try:
        connection.request("GET", path, headers={"Host": host})
        answer = connection.getresponse()
        return answer.status, answer.headers.get("location", "")
    finally:
        connection.close()

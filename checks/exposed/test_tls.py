"""Transport: TLS enforced, modern, and with a certificate that lasts (X1, I1)."""

from __future__ import annotations

import http.client
import socket
import ssl
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from checks.exposed.hello import MODERN, PERMITTED, SUITES, VERSIONS, Door, accepted, doors, offer
from checks.kit.check import check
from checks.kit.site import TIMEOUT, Site

YEAR_SECONDS = 31_536_000
MIN_DAYS = 14
"""The same limit as I10's alarm."""


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
    remedy="slipway:acme or SITE_CERTIFICATE (platform servers), or the listener's certificate (aws)",
)
def test_the_certificate_is_trusted_and_for_this_name(edge: Site) -> None:
    for door in doors(edge):
        try:
            _handshake(door, edge.tls_context())
        except ssl.SSLCertVerificationError as error:
            pytest.fail(f"{door}: {door.server_name}: {error.verify_message}")


@check(
    "X1",
    "I10",
    severity="critical",
    standard="Lynis CRYP-7902",
    why="when the certificate expires, every client is refused at once",
    remedy="renew it; did the alarm certificate-days reach anyone?",
)
def test_the_certificate_is_valid_for_two_more_weeks(edge: Site) -> None:
    for door in doors(edge):
        ends = _certificate(door).not_valid_after_utc
        days = (ends - datetime.now(UTC)).days
        assert days >= MIN_DAYS, f"{door}: it ends in {days} days, on {ends:%Y-%m-%d}"


@check(
    "X1",
    severity="high",
    asvs="12.1.2",
    why="a short key can be computed from the certificate",
    remedy="ask for a certificate with a P-256 key, or RSA of 2048 bits or more",
)
def test_the_certificates_key_is_long_enough(edge: Site) -> None:
    for door in doors(edge):
        key = _certificate(door).public_key()
        if isinstance(key, rsa.RSAPublicKey):
            assert key.key_size >= 2048, f"{door}: RSA of {key.key_size} bits"
        elif isinstance(key, ec.EllipticCurvePublicKey):
            assert key.key_size >= 256, f"{door}: an elliptic curve of {key.key_size} bits"


@check(
    "X1",
    severity="high",
    asvs="12.1.1",
    standard="DevSec ssl-baseline ssl3-tls11",
    why="TLS versions before 1.2 have known attacks",
    remedy="edge.cfg: ssl-min-ver TLSv1.2, also on each bind line; aws: load_balancer.ssl_policy",
)
@pytest.mark.parametrize("version", ["SSL 3.0", "TLS 1.0", "TLS 1.1"])
def test_old_tls_is_refused(site: Site, version: str) -> None:
    for door in _open_doors(site):
        hello = offer(door, VERSIONS[version], SUITES - MODERN)
        assert hello is None, f"{door} accepts {hello.version_name} ({hello.suite_name})" if hello else ""


@check(
    "X1",
    severity="medium",
    asvs="12.1.1",
    why="TLS 1.3 saves a round trip and removes weak options",
    remedy="edge.cfg: ssl-max-ver must not exclude TLSv1.3",
)
def test_tls_1_3_is_offered(site: Site) -> None:
    for door in _open_doors(site):
        hello = offer(door, VERSIONS["TLS 1.3"], MODERN)
        assert hello is not None and hello.version_name == "TLS 1.3", (
            f"{door}: a client that only knows TLS 1.3 is turned away"
        )


@check(
    "X1",
    severity="high",
    asvs="12.1.2",
    standard="DevSec ssl-baseline ciphers; Mozilla intermediate",
    why="what has no forward secrecy or no authenticated encryption can be decrypted later, or tampered with",
    remedy="edge.cfg: ssl-default-bind-ciphers with ECDHE and AEAD only; aws: load_balancer.ssl_policy",
)
def test_weak_ciphers_are_refused(site: Site) -> None:
    weak: list[str] = []
    for door in _open_doors(site):
        hellos = accepted(door, VERSIONS["TLS 1.2"], SUITES - PERMITTED)
        # Without a suite of 1.2 among them: 1.3 has some that the profile leaves out.
        hellos += accepted(door, VERSIONS["TLS 1.3"], SUITES - PERMITTED)
        if hellos:
            weak.append(f"{door} accepts {', '.join(hello.suite_name for hello in hellos)}")
    assert not weak, "; ".join(weak)


@check(
    "X1",
    severity="high",
    asvs="12.1.1",
    standard="CVE-2012-4929 (CRIME)",
    why="compressed TLS reveals secrets by the length of what is sent",
    remedy="build OpenSSL without compression, as Debian does",
)
def test_tls_does_not_compress(site: Site) -> None:
    for door in doors(site):
        hello = offer(door, VERSIONS["TLS 1.2"], PERMITTED - MODERN)
        assert hello is None or hello.compression == 0, f"{door} compresses"


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


def _certificate(door: Door) -> x509.Certificate:
    """The certificate that `door` shows, trusted or not."""
    # Not create_default_context: reading the system's authorities takes most of a second, and none is needed.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    der = _handshake(door, context)
    if der is None:
        raise AssertionError(f"{door} shows no certificate")
    return x509.load_der_x509_certificate(der)


def _handshake(door: Door, context: ssl.SSLContext) -> bytes | None:
    """The certificate of a whole handshake."""
    with (
        socket.create_connection(door.address, timeout=TIMEOUT) as plain,
        context.wrap_socket(plain, server_hostname=door.server_name) as connection,
    ):
        return connection.getpeercert(binary_form=True)


def _open_doors(site: Site) -> list[Door]:
    """The public TLS ports. Each accepts a modern client, so that a refusal of another proves something."""
    found = doors(site)
    for door in found:
        tries = (
            offer(door, VERSIONS[version], PERMITTED & SUITES - exclude)
            for version, exclude in (("TLS 1.2", MODERN), ("TLS 1.3", frozenset[int]()))
        )
        assert any(tries), f"{door} accepts neither TLS 1.2 nor TLS 1.3"
    return found


def _plainly(site: Site, path: str, host: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(*site.live.plain_address, timeout=TIMEOUT)
    try:
        connection.request("GET", path, headers={"Host": host})
        answer = connection.getresponse()
        return answer.status, answer.headers.get("location", "")
    finally:
        connection.close()

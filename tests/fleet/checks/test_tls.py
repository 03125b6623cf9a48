"""TLS checks fail on an edge with weaker settings."""

from __future__ import annotations

import pytest

from tests.fleet.checks.breaking import Break, edge, header, rewritten, together, without
from tests.fleet.checks.certificates import certificate
from tests.fleet.checks.harness import Case, prove
from tests.fleet.site import Site


def weak(openssl: str) -> str:
    """OpenSSL's settings with everything allowed."""
    return (
        openssl.replace("[openssl_init]\n", "[openssl_init]\nssl_conf = weak\n")
        + "\n[weak]\nsystem_default = weakest\n[weakest]\nCipherString = DEFAULT@SECLEVEL=0\n"
    )


CIPHERS = "ssl-default-bind-ciphers"
UPLOADS_DOOR = "bind :8444 ssl crt "


def uploads_door(options: str) -> Break:
    """The edge with other options on the port of uploads."""
    return edge(swap=("bind :8444 ssl ", f"bind :8444 ssl {options} "))


TRANSPORT = (
    Case(
        "no HSTS",
        edge(without("Strict-Transport-Security")),
        red=("X1/hsts-covers-a-year-and-subdomains",),
        run=("X1",),
    ),
    Case(
        "HSTS for an hour",
        edge(header("Strict-Transport-Security", "max-age=3600; includeSubDomains")),
        red=("X1/hsts-covers-a-year-and-subdomains",),
        says="3600",
    ),
    Case(
        "a certificate of another authority",
        certificate(own_authority=True),
        red=("X1/the-certificate-is-trusted-and-for-this-name",),
        says="certificate",
        alone=True,
    ),
    Case(
        "a certificate for another name",
        certificate(name="other.example"),
        red=("X1/the-certificate-is-trusted-and-for-this-name",),
        says="ostname",
        alone=True,
    ),
    Case(
        "a certificate that ends in five days",
        certificate(days=5),
        red=("X1/the-certificate-is-valid-for-two-more-weeks",),
        run=("X1",),
        says="ends in",
    ),
    Case(
        "a certificate with a short key",
        together(
            lambda site: rewritten(site, "edge", "/etc/ssl/openssl.cnf", weak), certificate(rsa_bits=1024)
        ),
        red=("X1/the-certificates-key-is-long-enough",),
        says="1024",
        alone=True,
    ),
    Case(
        "TLS 1.0",
        edge(
            "ssl-default-bind-ciphers ALL:@SECLEVEL=0",
            swap=(
                "ssl-default-bind-options ssl-min-ver TLSv1.2",
                "ssl-default-bind-options ssl-min-ver TLSv1.0",
            ),
            drop="ssl-default-bind-ciphers ",
            at="    ssl-default-bind-ciphersuites ",
        ),
        red=("X1/old-tls-is-refused",),
        run=("X1/old-tls", "X1/tls-1-3", "X1/hsts"),
        says="TLS 1.",
    ),
    Case(
        "ciphers that encrypt nothing",
        edge(
            "ssl-default-bind-ciphers ALL:eNULL:@SECLEVEL=0",
            drop="ssl-default-bind-ciphers ",
            at="    ssl-default-bind-ciphersuites ",
        ),
        red=("X1/weak-ciphers-are-refused",),
        run=("X1",),
    ),
    Case(
        "a suite without authenticated encryption",
        edge(swap=(f"{CIPHERS} ECDHE", f"{CIPHERS} ECDHE-ECDSA-AES128-SHA:ECDHE")),
        red=("X1/weak-ciphers-are-refused",),
        run=("X1",),
        says="ECDHE-ECDSA-AES128-SHA",
    ),
    Case(
        "a suite of TLS 1.3 that the profile leaves out",
        edge(swap=(f"{CIPHERS}uites TLS_", f"{CIPHERS}uites TLS_AES_128_CCM_SHA256:TLS_")),
        red=("X1/weak-ciphers-are-refused",),
        run=("X1",),
        says="TLS_AES_128_CCM_SHA256",
    ),
    Case(
        "a weak suite on the port of uploads only",
        uploads_door("ciphers ECDHE-ECDSA-AES256-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256"),
        red=("X1/weak-ciphers-are-refused",),
        run=("X1",),
        says="uploads",
    ),
    Case(
        "TLS 1.1 on the port of uploads only",
        uploads_door("ssl-min-ver TLSv1.1 ciphers ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"),
        red=("X1/old-tls-is-refused", "X1/weak-ciphers-are-refused"),
        says="uploads",
    ),
    Case(
        "no TLS 1.3 on the port of uploads",
        uploads_door("ssl-max-ver TLSv1.2"),
        red=("X1/tls-1-3-is-offered",),
        run=("X1",),
        says="uploads",
    ),
    Case(
        "another authority's certificate on the port of uploads",
        certificate(own_authority=True, door=UPLOADS_DOOR),
        red=("X1/the-certificate-is-trusted-and-for-this-name",),
        run=("X1",),
        says="uploads",
    ),
    Case(
        "a certificate that ends in five days on the port of uploads",
        certificate(days=5, door=UPLOADS_DOOR),
        red=("X1/the-certificate-is-valid-for-two-more-weeks",),
        run=("X1",),
        says="uploads",
    ),
    Case(
        "no TLS 1.3",
        edge(swap=("ssl-min-ver TLSv1.2 no-tls", "ssl-min-ver TLSv1.2 ssl-max-ver TLSv1.2 no-tls")),
        red=("X1/tls-1-3-is-offered",),
        run=("X1",),
    ),
    Case(
        "plain HTTP is served",
        edge(
            "http-request return status 200 content-type text/plain string hello",
            at="    http-request redirect code 308",
        ),
        red=("X1/plain-http-is-redirected-to-https",),
        run=("X1",),
    ),
    Case(
        "a redirect that believes Host",
        edge(
            "http-request redirect code 308 location https://%[req.hdr(host)]%[pathq]",
            at="    http-request redirect code 308",
        ),
        red=("X1/the-redirect-to-https-leads-nowhere-else",),
        run=("X1",),
    ),
)


@pytest.mark.parametrize("case", TRANSPORT, ids=str)
def test_the_check_fails(whole: Site, case: Case) -> None:
    prove(whole, case)

"""Certificates that the site should not have."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from tests.fleet.checks.breaking import RELOAD, Break, edge, on
from tests.fleet.site import Site

PEM = "/etc/haproxy/site.pem"
OTHER = "/etc/haproxy/other.pem"


def certificate(
    *, name: str = "localhost", days: int = 90, rsa_bits: int = 0, own_authority: bool = False, door: str = ""
) -> Break:
    """The edge with another certificate, by the fleet's own authority unless `own_authority`.

    `door`: a text before the certificate's path on the one bind line that gets it; empty: every port.
    """

    @contextmanager
    def broken(site: Site) -> Generator[None]:
        pem = _issue(site, name, days, rsa_bits, own_authority)
        try:
            on(site, "edge", f"cp -p {PEM} /root/site.pem && cat > {PEM} && {{ {RELOAD}\n}}", pem)
            yield
        finally:
            on(site, "edge", f"cat /root/site.pem > {PEM} && rm /root/site.pem && {{ {RELOAD}\n}}")

    @contextmanager
    def broken_door(site: Site) -> Generator[None]:
        pem = _issue(site, name, days, rsa_bits, own_authority)
        try:
            on(site, "edge", f"install -m 600 /dev/null {OTHER} && cat > {OTHER}", pem)
            with edge(swap=(f"{door}{PEM}", f"{door}{OTHER}"))(site):
                yield
        finally:
            on(site, "edge", f"rm -f {OTHER}")

    return broken_door if door else broken


def _issue(site: Site, name: str, days: int, rsa_bits: int, own_authority: bool) -> str:
    key = rsa.generate_private_key(65537, rsa_bits) if rsa_bits else ec.generate_private_key(ec.SECP256R1())
    folder = site.project.state_dir / "tls"
    authority = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
    signer = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
    if own_authority or not isinstance(signer, ec.EllipticCurvePrivateKey):
        signer = ec.generate_private_key(ec.SECP256R1())
    issuer = (
        authority.subject
        if not own_authority
        else x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "unknown authority")])
    )
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .sign(signer, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return (made.public_bytes(serialization.Encoding.PEM) + private).decode()

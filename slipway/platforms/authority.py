"""A fleet's certificate authority, and what it signs: certificates of the site and of hosts' services.

Pure: PEM in, PEM out. Where a platform keeps them is its own business.
"""

from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Address, ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_YEARS = 10
LEAF_DAYS = 397
"""Browsers take no longer-lived certificate (CA/Browser Forum, 398 days)."""
RENEW_DAYS = 30
"""A certificate with less than this left is replaced by the next `up`."""

_SKEW = timedelta(hours=1)


@dataclass(frozen=True)
class Authority:
    """PEM: the authority's certificate, which everyone may have, and its key."""

    certificate: bytes
    key: bytes = field(repr=False)

    def is_good(self) -> bool:
        """Do the two belong together, and does it outlive what it signs today?"""
        held = _load(self.certificate, self.key)
        return held is not None and _days_left(held) >= LEAF_DAYS


def make_authority(name: str) -> Authority:
    """A new one for ten years; `name` is shown to who looks at a certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"slipway {name} CA")])
    usage = _key_usage(key_cert_sign=True, crl_sign=True, digital_signature=False)
    made = (
        _builder(subject, subject, key.public_key(), timedelta(days=365 * CA_YEARS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(made.public_bytes(serialization.Encoding.PEM), _private_pem(key))


def ensure_leaf_pem(
    held: bytes | None, authority: Authority, hosts: Sequence[str], *, client: bool = False
) -> bytes:
    """PEM of a server certificate for `hosts` (DNS names and addresses), followed by its key.

    `client`: one by which they show a server who they are.

    It is `held` while that is good; replaced when its names differ, when `authority` did not sign it, or 30
    days before its end. ValueError: the authority's key is not one that `make_authority` made.
    """
    names = list(dict.fromkeys(hosts))
    issuer = x509.load_pem_x509_certificate(authority.certificate)
    leaf = _load(held, held) if held else None
    if (
        held
        and leaf is not None
        and _days_left(leaf) >= RENEW_DAYS
        and _names(leaf) == set(names)
        and _signed(leaf, issuer)
        and _purpose(leaf) == [_PURPOSE[client]]
    ):
        return held
    return _make_leaf(issuer, authority.key, names, _PURPOSE[client])


_PURPOSE = {False: ExtendedKeyUsageOID.SERVER_AUTH, True: ExtendedKeyUsageOID.CLIENT_AUTH}


def _purpose(leaf: x509.Certificate) -> list[x509.ObjectIdentifier]:
    try:
        return list(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        return []


def make_account_key() -> bytes:
    """A new private key, P-256, in the form of PEM that ACME clients read (SEC 1)."""
    form = serialization.PrivateFormat.TraditionalOpenSSL
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def thumbprint(key_pem: bytes) -> str:
    """The thumbprint (RFC 7638) of the public half of a key that `make_account_key` made."""
    key = serialization.load_pem_private_key(key_pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("not a key that slipway made")
    point = key.public_key().public_numbers()
    x, y = (_base64url(number.to_bytes(32, "big")) for number in (point.x, point.y))
    # The members in this order and without spaces: the digest is of the text.
    return _base64url(sha256(f'{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}'.encode()).digest())


def _base64url(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")


def _make_leaf(
    issuer: x509.Certificate, issuer_key: bytes, names: Sequence[str], purpose: x509.ObjectIdentifier
) -> bytes:
    ca_key = serialization.load_pem_private_key(issuer_key, password=None)
    if not isinstance(ca_key, ec.EllipticCurvePrivateKey):
        raise ValueError("not the key of an authority that slipway made")
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    made = (
        _builder(subject, issuer.subject, key.public_key(), timedelta(days=LEAF_DAYS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([_general(host) for host in names]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(_key_usage(key_cert_sign=False, crl_sign=False, digital_signature=True), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
        .sign(ca_key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM) + _private_pem(key)


def _load(certificate_pem: bytes, key_pem: bytes) -> x509.Certificate | None:
    """The certificate, if it is one and its key with it."""
    try:
        certificate = x509.load_pem_x509_certificate(certificate_pem)
        key = serialization.load_pem_private_key(key_pem, password=None)
    except (TypeError, ValueError):
        return None
    return certificate if certificate.public_key() == key.public_key() else None


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, life: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _key_usage(*, key_cert_sign: bool, crl_sign: bool, digital_signature: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general(host: str) -> x509.GeneralName:
    address = _address(host)
    return x509.IPAddress(address) if address else x509.DNSName(host)


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _names(certificate: x509.Certificate) -> set[str]:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in names}


def _days_left(certificate: x509.Certificate) -> int:
    return (certificate.not_valid_after_utc - datetime.now(UTC)).days


def _signed(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except Exception:  # whatever is wrong with it, it is replaced
        return False
    return True

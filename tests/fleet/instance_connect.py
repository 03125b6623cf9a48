"""EC2 Instance Connect as the metadata service shows it: a signer's chain, its staples, signed keys."""

import base64
import datetime
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID

DOMAIN = "amazonaws.test"


class Signer:
    """One region's signer: an authority of the test's own in the place of a public one."""

    def __init__(self, region: str) -> None:
        self._root_key, self._key = _key(), _key()
        self.root = _certificate("Test Root", self._root_key, "Test Root", self._root_key, is_authority=True)
        name = f"managed-ssh-signer.{region}.{DOMAIN}"
        self.leaf = _certificate(name, self._key, "Test Root", self._root_key, is_authority=False)
        self.good = True

    @property
    def chain(self) -> str:
        return _pem(self.leaf) + _pem(self.root)

    @property
    def mark(self) -> str:
        return self.leaf.fingerprint(hashes.SHA1()).hex().upper()

    @property
    def staple(self) -> str:
        now = datetime.datetime.now(datetime.UTC)
        status = ocsp.OCSPCertStatus.GOOD if self.good else ocsp.OCSPCertStatus.REVOKED
        answer = (
            ocsp.OCSPResponseBuilder()
            .add_response(
                cert=self.leaf,
                issuer=self.root,
                algorithm=hashes.SHA1(),
                cert_status=status,
                this_update=now - datetime.timedelta(hours=1),
                next_update=now + datetime.timedelta(hours=1),
                revocation_time=None if self.good else now - datetime.timedelta(hours=1),
                revocation_reason=None,
            )
            .responder_id(ocsp.OCSPResponderEncoding.HASH, self.root)
            .sign(self._root_key, hashes.SHA256())
        )
        return base64.b64encode(answer.public_bytes(Encoding.DER)).decode()

    def vouch(self, key: str, instance: str, *, seconds: float = 60) -> str:
        """The block of one key: facts, key, signature."""
        facts = (
            f"#Timestamp={int(time.time() + seconds)}\n#Instance={instance}\n#Caller=arn:aws:iam::1:user/op\n"
        )
        data = f"{facts}#Request=r-1\n{key.strip()}\n"
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
        signature = base64.encodebytes(self._key.sign(data.encode(), pss, hashes.SHA256())).decode()
        return f"{data}{signature.strip()}\n\n"


def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _certificate(
    name: str, key: rsa.RSAPrivateKey, issuer: str, by: rsa.RSAPrivateKey, *, is_authority: bool
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)

    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    usages = (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
        *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    )
    usage = dict.fromkeys(usages, False)
    usage |= {"key_cert_sign": True, "crl_sign": True} if is_authority else {"digital_signature": True}
    return (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
        .sign(by, hashes.SHA256())
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()

#!/usr/bin/python3 -IS
"""For sshd: prints the operators' keys that EC2 Instance Connect vouches for at this moment.

It makes the same checks as AWS's package, which Debian does not have: the signer's certificate is for this
region, chains to a public authority and is not revoked; the signature is for this key, this instance and
this minute.
https://github.com/aws/aws-ec2-instance-connect-config
"""

import base64
import hashlib
import json
import re
import ssl
import subprocess
import sys
import syslog
import tempfile
import time
from pathlib import Path

sys.path.insert(0, "/usr/local/lib/slipway")

from agent.imds import ENDPOINT, Imds

OPERATOR = "admin"
MOVED = Path("/etc/slipway/endpoints.json")
BOARD = Path("/sys/devices/virtual/dmi/id/board_asset_tag")
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
KEYS = "meta-data/managed-ssh-keys"


class RefusedError(Exception):
    """Why no key is trusted."""


def main(user, fingerprint=""):
    """Print the keys that `user` may log in with; with a `fingerprint`, only that one."""
    if user != OPERATOR:
        return
    endpoint = (
        json.loads(MOVED.read_text())["endpoints"].get("imds", ENDPOINT) if MOVED.exists() else ENDPOINT
    )
    imds = Imds(endpoint)
    try:
        blob = imds.get(f"{KEYS}/active-keys/{user}/")
    except FileNotFoundError:
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        signer = trusted_signer(imds, Path(folder))
        for key in vouched_for(blob, signer, instance_of(imds), Path(folder), time.time()):
            if not fingerprint or fingerprint == fingerprint_of(key):
                print(key)


def instance_of(imds):
    """This instance's id by the metadata service; it must match the hardware's where that shows one."""
    said = imds.get("meta-data/instance-id")
    try:
        board = BOARD.read_text().strip()
    except OSError:
        board = ""
    if board.startswith("i-") and board != said:
        raise RefusedError(f"the metadata service says {said}, the hardware says {board}")
    return said


def trusted_signer(imds, folder):
    """Path of the signer's public key, once its certificate is verified."""
    wanted = (
        f"managed-ssh-signer.{imds.get('meta-data/placement/region')}.{imds.get('meta-data/services/domain')}"
    )
    text = imds.get(f"{KEYS}/signer-cert/")
    chain = re.findall(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", text, flags=re.DOTALL)
    if not chain:
        raise RefusedError("the metadata service has no signer certificate")
    paths = [folder / f"{number}.pem" for number in range(len(chain))]
    for path, certificate in zip(paths, chain, strict=True):
        path.write_text(certificate + "\n")
    subject = openssl("x509", "-noout", "-subject", "-nameopt", "RFC2253", "-in", paths[0])
    if re.findall(r"[=,]CN=([^,\s]+)", subject) != [wanted]:
        raise RefusedError(f"the signer is not {wanted}: {subject}")
    others = folder / "others.pem"
    others.write_text("\n".join(chain[1:]) + "\n")
    openssl("verify", "-x509_strict", "-CAfile", AUTHORITIES, "-untrusted", others, paths[0])
    refuse_revoked(imds, chain, paths, folder)
    key = folder / "signer.pub"
    key.write_text(openssl("x509", "-pubkey", "-noout", "-in", paths[0]))
    return key


def refuse_revoked(imds, chain, paths, folder):
    """Every certificate up to one that the system trusts has a current OCSP response that it is good."""
    own = {ssl.PEM_cert_to_DER_cert(each) for each in certificates(Path(AUTHORITIES).read_text())}
    for number in range(len(chain) - 1):
        der = ssl.PEM_cert_to_DER_cert(chain[number])
        if der in own:
            return
        mark = hashlib.sha1(der, usedforsecurity=False).hexdigest().upper()
        staple = folder / "staple"
        staple.write_bytes(base64.b64decode(imds.get(f"{KEYS}/signer-ocsp/{mark}")))
        issuer, certificate = paths[number + 1], paths[number]
        said = openssl(
            "ocsp", "-no_nonce", "-issuer", issuer, "-cert", certificate, "-VAfile", issuer, "-respin", staple
        )
        if not said.startswith(f"{certificate}: good"):
            raise RefusedError(f"certificate {mark} of the signer's chain is not known to be good")


def certificates(text):
    """Every certificate in a PEM file."""
    return re.findall(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", text, flags=re.DOTALL)


def vouched_for(blob, signer, instance, folder, now):
    """The keys in `blob` that are for `instance`, have not expired, and carry the signer's signature."""
    for block in re.split(r"\n\s*\n", blob.strip()):
        lines = block.splitlines()
        header = [line for line in lines if line.startswith("#")]
        rest = lines[len(header) :]
        if lines[: len(header)] != header or not rest or not rest[0].startswith("ssh-"):
            continue
        facts = dict(line[1:].split("=", 1) for line in header if "=" in line)
        if facts.get("Instance") != instance or not float(facts.get("Timestamp", 0)) > now:
            continue
        data, signature = folder / "data", folder / "signature"
        data.write_text("\n".join([*header, rest[0]]) + "\n")
        signature.write_bytes(base64.b64decode("".join(rest[1:])))
        padding = ("-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32")
        openssl("dgst", "-sha256", *padding, "-verify", signer, "-signature", signature, data)
        key = " ".join(rest[0].split()[:2])
        who, request = facts.get("Caller", "?"), facts.get("Request", "?")
        syslog.syslog(f"EC2 Instance Connect admits {who} with {fingerprint_of(key)}, request {request}")
        yield key


def fingerprint_of(key):
    """In sshd's notation."""
    digest = hashlib.sha256(base64.b64decode(key.split()[1])).digest()
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def openssl(*arguments):
    """openssl's output. Raises RefusedError if it fails."""
    done = subprocess.run(
        ["/usr/bin/openssl", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RefusedError(f"openssl {arguments[0]}: {(done.stderr or done.stdout).strip()[-300:]}")
    return done.stdout


if __name__ == "__main__":
    syslog.openlog("slipway-keys", facility=syslog.LOG_AUTHPRIV)
    try:
        main(*sys.argv[1:3])
    except Exception as error:
        syslog.syslog(f"no key is trusted: {error}")
        sys.exit(1)

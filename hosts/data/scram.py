"""SCRAM-SHA-256 verifiers: what PostgreSQL keeps of a password, made here so that no password reaches SQL."""

from __future__ import annotations

import base64
import hashlib
import hmac

_ITERATIONS = 4096


def verifier(role: str, password: str) -> str:
    """The verifier of RFC 5803 for `password`. Its salt comes from both, so the same input gives the same."""
    salt = hmac.digest(password.encode(), f"slipway scram salt {role}".encode(), "sha256")[:16]
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ITERATIONS)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    return f"SCRAM-SHA-256${_ITERATIONS}:{_text(salt)}${_text(stored_key)}:{_text(server_key)}"


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()

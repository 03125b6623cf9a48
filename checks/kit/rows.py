"""The rows of the production checklist in words, and where to read more about them."""

from __future__ import annotations

import re
from pathlib import Path

ROWS = {
    "P2": "Env contract", "P3": "Nothing secret reaches browsers", "P4": "Strong, unique secrets",
    "P5": "No secret in the repository", "P6": "Keys of this stack's kind", "P8": "Nothing secret in logs",
    "P9": "Production mode", "P10": "No internals in errors and source maps",
    "I1": "Several servers behind TLS", "I2": "Routing and sticky clients", "I3": "Restarts and health",
    "I4": "Redis", "I5": "Database", "I6": "Buckets", "I7": "Least privilege",
    "I8": "Stacks kept apart", "I9": "Where secrets are kept", "I10": "Room before the alarms",
    "I11": "Monitoring and upkeep", "I12": "Backups and restore", "I13": "Static files",
    "S1": "Migrations", "S2": "A user reads what was written", "S3": "Load test", "S4": "Rollback",
    "S5": "Graceful shutdown", "S6": "Bounded work", "S7": "Cron", "S8": "Configuration as released",
    "S10": "Queue and dead letters",
    "X1": "TLS", "X2": "Security headers", "X3": "CORS", "X4": "Cookies and CSRF",
    "X5": "Docs and debugging are hidden", "X6": "Sign-in and authority", "X7": "Rate limits",
    "X8": "Forwarded headers and Host", "X9": "Uploads and body limits", "X10": "Cron routes",
    "X11": "Health and private paths", "X12": "WebSockets", "X13": "Logs and request ids",
    "X14": "Broadcasts across hosts", "X15": "Time-outs and webhooks", "X16": "Validated answers",
    "X17": "Audit trail",
}  # fmt: skip
"""Short headings; the checklist says more about each."""
WRITTEN = {
    "api": "API", "acl": "ACL", "cors": "CORS", "csp": "CSP", "haproxy": "HAProxy", "hsts": "HSTS",
    "http": "HTTP", "https": "HTTPS", "json": "JSON", "pgbouncer": "PgBouncer", "postgresql": "PostgreSQL",
    "redis": "Redis", "s3": "S3", "sql": "SQL", "ssh": "SSH", "suid": "SUID", "tls": "TLS", "url": "URL",
    "urls": "URLs", "xss": "XSS",
}  # fmt: skip
"""How words of a check's title, which is a function's name, are written."""
MATRIX = Path(__file__).parents[2] / "docs" / "checks-matrix.md"
ASVS = "https://github.com/OWASP/ASVS/blob/master/5.0/en/"
_CHAPTERS = {
    "1": "0x10-V1-Encoding-and-Sanitization", "2": "0x11-V2-Validation-and-Business-Logic",
    "3": "0x12-V3-Web-Frontend-Security", "4": "0x13-V4-API-and-Web-Service", "5": "0x14-V5-File-Handling",
    "6": "0x15-V6-Authentication", "7": "0x16-V7-Session-Management", "8": "0x17-V8-Authorization",
    "9": "0x18-V9-Self-contained-Tokens", "11": "0x20-V11-Cryptography",
    "12": "0x21-V12-Secure-Communication", "13": "0x22-V13-Configuration", "14": "0x23-V14-Data-Protection",
    "15": "0x24-V15-Secure-Coding-and-Architecture",
    "16": "0x25-V16-Security-Logging-and-Error-Handling",
}  # fmt: skip


def heading(row: str) -> str:
    """The row in words with its id: `Security headers (X2)`."""
    return f"{ROWS[row]} ({row})" if row in ROWS else row


def sentence(title: str) -> str:
    """A check's title as a sentence: `SSH takes keys only`."""
    words = " ".join(WRITTEN.get(word, word) for word in title.split())
    return words[:1].upper() + words[1:]


def link_to_matrix(row: str) -> str:
    """The row's table in docs/checks-matrix.md on this machine; empty where the kit has no docs beside it."""
    anchor = re.sub(r"[^a-z0-9 -]", "", heading(row).lower()).replace(" ", "-")
    return f"{MATRIX.as_uri()}#{anchor}" if MATRIX.is_file() else ""


def link_to_asvs(requirement: str) -> str:
    """The chapter of OWASP ASVS 5.0 that has `requirement` (`3.4.1`); empty if it names none."""
    chapter = _CHAPTERS.get(requirement.partition(".")[0], "")
    return f"{ASVS}{chapter}.md" if chapter else ""

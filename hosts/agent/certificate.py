"""The site's certificate by ACME, on an edge: ordered, renewed, and given to HAProxy while it runs.

HAProxy answers HTTP-01 challenges by itself: the answer is the token and the thumbprint of the account's key,
and both are known beforehand. So nothing listens for challenges, and every edge answers those of any other.
For DNS-01 the client makes a record at Cloudflare, and removes it. Each edge has a certificate and a private
key of its own, which never leave it.
"""

from __future__ import annotations

import json
import os
import re
import time

from . import durable, haproxy, program
from .errors import AgentError
from .host import Host, Paths
from .json_object import JsonObject

SERVICE = "slipway-certificate.service"
CHALLENGES = "/.well-known/acme-challenge/"
PORT = 80
CLIENT = "/usr/bin/lego"
AGENT = "/usr/local/bin/slipway-agent"
FLOOR_SECONDS = 900.0
"""Shortest pause after a failure, for each edge: Let's Encrypt allows five failures of a name an hour."""
LONGEST_SECONDS = 43_200.0
RATE_LIMITED_SECONDS = 21_600.0
_ANSWER_SECONDS = 10
_ISSUE_SECONDS = 300
_REFUSED = re.compile(
    r"(?:\[([^\]\s]+)\] )?(?:\[[^\]\s]+\] )?acme: error: (\d+) :: (?:\w+ :: \S+ :: )?(\S+) :: (.+)"
)
_RECORD = "record at Cloudflare: "
_ERROR_TYPE = "urn:ietf:params:acme:error:"


class Settings:
    """/etc/slipway/acme.json, which the set-up writes (hosts/acme.py)."""

    def __init__(self, paths: Paths) -> None:
        content = durable.read(paths.acme)
        if content is None:
            raise AgentError("not_set_up", f"{paths.acme} is missing: the stack has no slipway:acme")
        fields = JsonObject.parse(content, "acme.json")
        self.directory = fields.line("directory")
        """URL of the authority's ACME directory."""
        self.email = fields.line("email")
        self.names = fields.texts("names")
        self.serve = fields.flag("serve")
        """False for a rehearsal: a certificate is had, and not shown to anyone."""
        self.edges = fields.whole("edges")
        """How many edges ask with the same account."""
        self.thumbprint = fields.line("thumbprint")
        self.by_dns = fields.text("challenge", "http") == "dns"


class Last:
    """What the last attempt led to; times are seconds since 1970, 0 before the first."""

    def __init__(self, fields: JsonObject) -> None:
        self.at = fields.number("at", 0)
        self.problem = fields.text("problem", "")
        self.failures = fields.whole("failures", 0)
        """Failed requests to the authority in a row."""
        self.next = fields.number("next", 0)
        """When the authority may be asked again."""

    @classmethod
    def load(cls, paths: Paths) -> Last:
        return cls(JsonObject.parse(durable.read(f"{paths.certificate}/last.json") or b"", "last.json"))

    def save(self, paths: Paths) -> None:
        fields = {"at": self.at, "problem": self.problem, "failures": self.failures, "next": self.next}
        durable.write(f"{paths.certificate}/last.json", json.dumps(fields).encode())


class Issued:
    """A certificate that was issued here, with its chain and key."""

    def __init__(self, path: str, about: JsonObject) -> None:
        self.path = path
        self.names = about.texts("names")
        self.directory = about.text("directory")
        self.begins = about.number("begins")
        self.ends = about.number("ends")

    @classmethod
    def load(cls, paths: Paths, settings: Settings) -> Issued | None:
        """The one for today's names, by today's authority."""
        path = f"{paths.certificate}/issued.pem"
        about = durable.read(f"{paths.certificate}/issued.json")
        if about is None or not os.path.exists(path):
            return None
        found = cls(path, JsonObject.parse(about, "issued.json"))
        wanted = (settings.names, settings.directory)
        return found if (found.names, found.directory) == wanted else None

    @property
    def renews(self) -> float:
        """When two thirds of its life are over, as Let's Encrypt recommends for any lifetime."""
        return self.begins + (self.ends - self.begins) * 2 / 3


def command(paths: Paths, host: Host, request: JsonObject) -> dict[str, object]:
    """See docs/agent.md, `certificate`."""
    if record := request.text("name", ""):
        return change_record(paths, record)
    settings = Settings(paths)
    todo = request.text("do", "renew")
    os.makedirs(paths.certificate, mode=0o700, exist_ok=True)
    if todo == "now":
        _run_service(paths, settings)
    elif todo == "renew":
        renew(paths, settings, host.name)
    elif todo != "look":
        raise AgentError("bad_request", f"certificate.do: must be look, now or renew, got {todo!r}")
    return look(paths, settings)


def look(paths: Paths, settings: Settings) -> dict[str, object]:
    """What is issued, what the last attempt led to, and when the next one is due."""
    last, issued = Last.load(paths), Issued.load(paths, settings)
    return {
        "names": settings.names,
        "directory": settings.directory,
        "serve": settings.serve,
        "ends": issued.ends if issued else None,
        "renews": issued.renews if issued else None,
        "at": last.at or None,
        "problem": last.problem,
        "next": last.next or None,
    }


def _run_service(paths: Paths, settings: Settings) -> None:
    """Start the unit, which is confined, and wait. A person may shorten the pause, down to the floor."""
    last = Last.load(paths)
    if last.failures:
        last.next = min(last.next, last.at + FLOOR_SECONDS * settings.edges)
        last.save(paths)
    program.run("systemctl", "start", SERVICE)


def renew(paths: Paths, settings: Settings, host: str) -> None:
    """Ask for a certificate if one is due, and have HAProxy serve the best there is."""
    now = time.time()
    issued, last = Issued.load(paths, settings), Last.load(paths)
    due = issued is None or now >= issued.renews
    if due and now >= last.next:
        last.at = now
        last.problem = problem = "" if settings.by_dns else unreachable(settings, host)
        if not problem:
            # Noted beforehand: an attempt that is cut off counts as failed, and is not made again at once.
            last.problem, last.failures = "the attempt was interrupted", last.failures + 1
            last.next = now + pause(last.failures, settings.edges)
            last.save(paths)
            last.problem, unwilling = _ask(paths, settings)
            last.next = now + pause(last.failures, settings.edges, unwilling=unwilling) if last.problem else 0
            last.failures = last.failures if last.problem else 0
        last.save(paths)
        _say(last.problem or f"a certificate for {', '.join(settings.names)} was issued")
    serve(paths, settings)


def pause(failures: int, edges: int, *, unwilling: bool = False) -> float:
    """Seconds until the authority is asked again, after so many failures in a row."""
    seconds = min(FLOOR_SECONDS * 2 ** (failures - 1), LONGEST_SECONDS)
    return max(seconds, FLOOR_SECONDS * edges, RATE_LIMITED_SECONDS if unwilling else 0)


def unreachable(settings: Settings, host: str) -> str:
    """Why the authority would not find this fleet under the names; empty if it may.

    A failed attempt counts against the authority's limits, so what is certain to fail is found here. A name
    that does not answer is not among that: behind some networks a host cannot reach its own public address.
    """
    found = [
        problem for name in settings.names if (problem := _leads_astray(name, settings.thumbprint, host))
    ]
    return "; ".join(found)


def _leads_astray(name: str, thumbprint: str, host: str) -> str:
    import socket

    try:
        found = socket.getaddrinfo(name, PORT, type=socket.SOCK_STREAM)
    except OSError:
        return f"{name} has no address in DNS, as {host} sees it"
    token = f"slipway-{os.urandom(8).hex()}"
    for address in dict.fromkeys(str(each[4][0]) for each in found):
        said = _said(address, name, f"{CHALLENGES}{token}")
        if said is not None and said != f"{token}.{thumbprint}":
            return f"{name} leads to {address} in DNS, and that is not an edge of this fleet"
    return ""


def _said(address: str, name: str, path: str) -> str | None:
    """The answer to a GET; None if there is no connection."""
    import http.client

    connection = http.client.HTTPConnection(address, PORT, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", path, headers={"Host": name})
        answer = connection.getresponse()
        return answer.read(4096).decode(errors="replace").strip() if answer.status == 200 else ""
    except OSError:
        return None
    except http.client.HTTPException:
        return ""
    finally:
        connection.close()


def _ask(paths: Paths, settings: Settings) -> tuple[str, bool]:
    """Have the client ask for a certificate. Why there is none, and whether limits of the authority are why.

    The client starts without a memory: its account is known to the authority by the key.
    """
    import subprocess
    import tempfile

    with tempfile.TemporaryDirectory(prefix="slipway-acme-") as folder:
        account = f"{folder}/accounts/{_server_folder(settings.directory)}/{settings.email}/keys"
        os.makedirs(account, mode=0o700)
        durable.write(f"{account}/{settings.email}.key", durable.read(paths.acme_key) or b"", sync=False)
        os.mkdir(f"{folder}/unused")
        proof = ("--dns", "exec") if settings.by_dns else ("--http", "--http.webroot", f"{folder}/unused")
        argv = [
            *(CLIENT, "--accept-tos", "--email", settings.email, "--server", settings.directory),
            *("--path", folder, "--key-type", "ec256", *proof),
            *(word for name in settings.names for word in ("--domains", name)),
            "run",
        ]
        roots = {"LEGO_CA_CERTIFICATES": paths.acme_roots} if os.path.exists(paths.acme_roots) else {}
        records = f"{folder}/records"
        by_dns = _by_dns(paths, records) if settings.by_dns else {}
        try:
            done = subprocess.run(
                argv,
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**program.ENVIRONMENT, "HOME": folder, **roots, **by_dns},
                timeout=_ISSUE_SECONDS,
            )
        except subprocess.TimeoutExpired:
            return f"{settings.directory} did not finish within {_ISSUE_SECONDS} s", False
        except OSError as error:
            return f"{CLIENT} cannot be started: {error.strerror}", False
        said = (done.stdout + (durable.read(records) or b"")).decode(errors="replace")
        made = f"{folder}/certificates/{settings.names[0]}"
        chain, key = durable.read(f"{made}.crt"), durable.read(f"{made}.key")
        if done.returncode != 0 or not chain or not key:
            return why(said), f"{_ERROR_TYPE}rateLimited" in said
    if (life := _life(chain)) is None:
        return f"the answer of {settings.directory} holds no certificate", False
    begins, ends = life
    durable.write(f"{paths.certificate}/issued.pem", one_pem(chain, key))
    about = {"names": settings.names, "directory": settings.directory, "begins": begins, "ends": ends}
    durable.write(f"{paths.certificate}/issued.json", json.dumps(about).encode())
    return "", False


def _by_dns(paths: Paths, said: str) -> dict[str, str]:
    """The client's settings for `--dns exec`: it has a program of ours make and remove each record.

    `said`: the file for that program's messages, which the client does not repeat.
    """
    path = f"{paths.certificate}/record"
    durable.write(path, f'#!/bin/sh\nexec {AGENT} certificate "$1 $2 $3" 2>>{said}\n'.encode())
    os.chmod(path, 0o700)
    return {"EXEC_PATH": path, "EXEC_SEQUENCE_INTERVAL": "1", "EXEC_PROPAGATION_TIMEOUT": "120"}


def change_record(paths: Paths, request: str) -> dict[str, object]:
    """`present NAME VALUE` or `cleanup NAME VALUE`, as the client asks for it; NAME ends with a dot."""
    from .cloudflare import Cloudflare

    action, name, value = request.split()
    zones = Cloudflare(paths)
    try:
        (zones.present if action == "present" else zones.cleanup)(name.rstrip("."), value)
    except AgentError as error:
        _say(f"{_RECORD}{error.message}")
        raise
    return {}


def _server_folder(directory: str) -> str:
    """How the client names the folder of an authority's accounts."""
    return directory.partition("://")[2].partition("/")[0].replace(":", "_")


def why(said: str) -> str:
    """What a person needs of the client's output: what kept a record from being made, the authority's errors,
    else the last line."""
    if own := re.findall(rf"^{_RECORD}(.+)$", said, re.M):
        return "; ".join(dict.fromkeys(own))
    found = [
        f"{f'{name}: ' if name else ''}{text.strip()} ({kind.removeprefix(_ERROR_TYPE)}, {status})"
        for name, status, kind, text in _REFUSED.findall(said)
    ]
    lines = [re.sub(r"^[\d/]+ [\d:]+ ", "", line.strip()) for line in said.splitlines() if line.strip()]
    return "; ".join(dict.fromkeys(found)) or (lines[-1] if lines else "the ACME client said nothing")


def one_pem(chain: bytes, key: bytes) -> bytes:
    """Certificate, chain and key in one file, without the empty lines that would end HAProxy's command."""
    return b"".join(line.strip() + b"\n" for line in (chain + b"\n" + key).splitlines() if line.strip())


def _life(chain: bytes) -> tuple[float, float] | None:
    """When the first certificate begins and ends; None if there is none."""
    import ssl

    done = program.feed(("openssl", "x509", "-noout", "-startdate", "-enddate"), chain)
    dates = {name: date for name, _, date in (line.partition("=") for line in done.out.splitlines())}
    if done.code != 0:
        return None
    begins, ends = (ssl.cert_time_to_seconds(dates[name]) for name in ("notBefore", "notAfter"))
    return float(begins), float(ends)


def serve(paths: Paths, settings: Settings) -> None:
    """Have HAProxy serve what was issued; before that, and after its end, the fleet's own certificate.

    The running process is given it first: it refuses a bad one, and then the file stays as it is.
    """
    issued = Issued.load(paths, settings)
    good = settings.serve and issued is not None and issued.ends > time.time()
    wanted = durable.read(issued.path if good and issued else paths.site_pem)
    if not wanted or durable.read(paths.acme_pem) == wanted:
        return
    _give(paths, one_pem(wanted, b"").decode())
    durable.write(paths.acme_pem, wanted)
    _say(f"the edge serves the certificate of {'the authority' if good else 'the fleet'}")


def _give(paths: Paths, pem: str) -> None:
    """Replace the certificate in the running HAProxy: new connections get it, open ones stay."""
    path = paths.acme_pem
    for request, accepted in (
        (f"set ssl cert {path} <<\n{pem}", r"Transaction (created|updated)"),
        (f"commit ssl cert {path}", r"Success"),
    ):
        answer = haproxy.ask(paths, request)
        if not re.search(accepted, answer):
            haproxy.ask(paths, f"abort ssl cert {path}")
            said = " ".join(answer.split()) or "nothing"
            raise AgentError("haproxy", f"HAProxy did not take the new certificate, and said {said!r}")


def _say(text: str) -> None:
    import sys

    print(text, file=sys.stderr)

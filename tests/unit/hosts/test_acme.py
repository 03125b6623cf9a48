"""The site's certificate by ACME: real HAProxy, Debian's client, and pebble as the authority."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import trustme
from cryptography import x509

from hosts import acme as acme_deploy, edge
from hosts.agent import certificate
from hosts.agent.host import Paths
from hosts.deploy import packages
from hosts.inventory.expected import set_ups
from hosts.plan import Acme, FleetPlan
from slipway.platforms.authority import make_account_key, thumbprint
from tests.pebble import client, pebble
from tests.ports import free_port
from tests.unit.hosts.conftest import haproxy_refuses
from tests.unit.hosts.live import app_on, haproxy, moved

TOKEN = "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0"
NAME = "localhost"


def with_acme(plan: FleetPlan, **changes: object) -> FleetPlan:
    key = make_account_key()
    acme = Acme(
        directory="https://localhost/dir",
        email="ops@example.com",
        names=(NAME,),
        serve=True,
        account_key=key.decode(),
        thumbprint=thumbprint(key),
    )
    return replace(plan, acme=replace(acme, **changes))


@dataclass
class Edge:
    """A running edge whose files are below `root`."""

    plan: FleetPlan
    root: Path
    http: int
    https: int
    paths: Paths

    def get(self, path: str, host: str = NAME, method: str = "GET") -> tuple[int, str]:
        """Status and body; a redirect's target in place of the body. The path is sent as it is."""
        with socket.create_connection(("127.0.0.1", self.http), timeout=5) as raw:
            raw.sendall(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            answer = http.client.HTTPResponse(raw, method=method)
            answer.begin()
            return answer.status, answer.getheader("location") or answer.read().decode()

    def served(self) -> x509.Certificate:
        """The certificate that a new connection is shown."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection(("127.0.0.1", self.https), timeout=5) as raw:
            shown = context.wrap_socket(raw, server_hostname=NAME).getpeercert(binary_form=True)
        assert shown
        return x509.load_der_x509_certificate(shown)

    def settings(self, **changes: object) -> certificate.Settings:
        """What the set-up gives the agent, and the account's key."""
        acme = self.plan.acme
        assert acme
        given = {
            "directory": acme.directory, "email": acme.email, "names": list(acme.names), "serve": acme.serve,
            "edges": 1, "thumbprint": acme.thumbprint,
        }  # fmt: skip
        Path(self.paths.acme).write_text(json.dumps({**given, **changes}))
        Path(self.paths.acme_key).write_text(acme.account_key)
        return certificate.Settings(self.paths)

    def last(self) -> certificate.Last:
        return certificate.Last.load(self.paths)


@contextmanager
def running(plan: FleetPlan, root: Path) -> Generator[Edge]:
    ports = {name: free_port() for name in (":80", ":443", ":8444", "127.0.0.1:8404")}
    apps = {"10.7.0.12:8080": free_port(), "10.7.0.13:8080": free_port()}
    for folder in ("etc/haproxy", "etc/slipway", "run/haproxy", "var/lib/slipway/certificate"):
        (root / folder).mkdir(parents=True)
    own = plan.site_pem.read_bytes()
    for path in ("ca.pem", "site.pem"):
        (root / path).write_bytes((plan.ca_file.parent / path).read_bytes())
    (root / "etc/haproxy/site.pem").write_bytes(own)
    (root / "etc/haproxy/acme.pem").write_bytes(own)
    text = edge.configuration(plan).replace("/etc/haproxy/acme.pem", f"{root}/ETC/haproxy/acme.pem")
    text = text.replace("/run/haproxy/", f"{root}/RUN/haproxy/")
    text = moved(text, root, ports | apps).replace("/ETC/", "/etc/").replace("/RUN/", "/run/")
    with (
        app_on(apps["10.7.0.12:8080"]),
        app_on(apps["10.7.0.13:8080"]),
        haproxy(root, text, ports[":443"]),
    ):
        yield Edge(plan, root, ports[":80"], ports[":443"], Paths(str(root)))


@pytest.fixture
def site(plan: FleetPlan) -> Generator[Edge]:
    # HAProxy takes paths of sockets up to 97 characters.
    with TemporaryDirectory(prefix="acme-") as root, running(with_acme(plan), Path(root)) as made:
        yield made


def test_only_a_challenge_for_the_sites_name_is_answered_and_everything_else_is_sent_to_https(site: Edge):
    acme = site.plan.acme
    assert acme
    path = f"/.well-known/acme-challenge/{TOKEN}"
    assert site.get(path) == (200, f"{TOKEN}.{acme.thumbprint}")
    assert site.get(f"{path}?x=y") == (200, f"{TOKEN}.{acme.thumbprint}")
    others = [
        "/.well-known/acme-challenge/", "/.well-known/acme-challenge", "/.well-known/security.txt", "/",
        f"{path}/", f"{path}/..", f"/.well-known/acme-challenge/../{TOKEN}", f"/x{path}", f"/{path}",
        f"/.well-known/acme-challenge/%2e%2e/{TOKEN}", f"/.well-known/acme-challenge//{TOKEN}",
        "/.well-known/acme-challenge/<script>", "/.well-known/acme-challenge/a.b",
        f"/.WELL-KNOWN/acme-challenge/{TOKEN}",
        "/.well-known/acme-challenge/" + "a" * 129, "/.well-known/acme-challenge/a%0ab",
        f"/.well-known/acme-challenge/;/{TOKEN}", f"/.well-known\\acme-challenge\\{TOKEN}",
    ]  # fmt: skip
    for other in others:
        status, target = site.get(other)
        assert (status, target) == (308, f"https://localhost:8443{other}"), other
    for method in ("POST", "PUT", "DELETE"):
        assert site.get(path, method=method)[0] == 308
    assert site.get(path, host="evil.example")[0] == 308


def test_without_the_setting_an_edge_is_as_it_was(plan: FleetPlan, tmp_path: Path):
    before = edge.configuration(plan)
    assert "acme" not in before
    assert "lego" not in packages(plan, plan.outputs.host("edge"))
    assert "lego" in packages(with_acme(plan), plan.outputs.host("edge"))
    assert "lego" not in packages(with_acme(plan), plan.outputs.host("web1"))
    text = edge.configuration(with_acme(plan)).replace("/etc/haproxy/acme.pem", "/etc/haproxy/site.pem")
    assert haproxy_refuses(tmp_path, moved(text, tmp_path, {})) == ""


def test_the_inventory_knows_the_timer_and_not_what_the_agent_puts_into_the_certificate(plan: FleetPlan):
    digests, found = set_ups(with_acme(plan), {})
    files, units = found["edge"].files, found["edge"].units
    assert files[acme_deploy.PEM].sha256 == ""
    assert files[acme_deploy.PEM].mode == files[acme_deploy.KEY].mode == "600"
    assert (units[acme_deploy.TIMER].active, units[acme_deploy.TIMER].enabled) == (True, True)
    assert found["edge"].settings[acme_deploy.SERVICE]["ProtectSystem"] == "strict"
    bare = set_ups(plan, {})[0]
    assert digests["edge"] != bare["edge"]
    assert {name: digest for name, digest in digests.items() if name != "edge"} == {
        name: digest for name, digest in bare.items() if name != "edge"
    }


LOAD = "SLIPWAY_LOAD_KEY-value-never-to-be-seen"


def test_a_certificate_is_issued_served_and_renewed_under_requests_without_a_lost_one(
    site: Edge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(certificate, "CLIENT", client())
    monkeypatch.setattr(certificate, "PORT", site.http)
    own = site.served()
    with pebble(tmp_path, site.http) as directory:
        Path(site.paths.acme_roots).write_bytes((tmp_path / "directory-ca.pem").read_bytes())
        settings = site.settings(directory=directory)
        certificate.renew(site.paths, settings, "edge")
        assert site.last().problem == ""
        first = site.served()
        assert first.issuer != own.issuer
        assert certificate.look(site.paths, settings)["ends"] == first.not_valid_after_utc.timestamp()
        assert (site.root / "etc/haproxy/acme.pem").stat().st_mode & 0o777 == 0o600

        certificate.renew(site.paths, settings, "edge")
        assert site.served() == first, "it is not due"

        about = site.root / "var/lib/slipway/certificate/issued.json"
        lost: list[str] = []
        answered = [0]
        ended = threading.Event()

        def visit() -> None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            while not ended.is_set():
                connection = http.client.HTTPSConnection("127.0.0.1", site.https, timeout=20, context=context)
                try:
                    for _ in range(3):
                        connection.request("GET", "/", headers={"Host": NAME, "X-Slipway-Load": LOAD})
                        answer = connection.getresponse()
                        answer.read()
                        answered[0] += answer.status == 200
                        if answer.status != 200:
                            lost.append(str(answer.status))
                except OSError as error:
                    lost.append(repr(error))
                finally:
                    connection.close()

        visitors = [threading.Thread(target=visit) for _ in range(4)]
        for visitor in visitors:
            visitor.start()
        try:
            for _ in range(3):
                before = site.served()
                life = {"begins": time.time() - 1000, "ends": time.time() + 10}
                about.write_text(json.dumps({**json.loads(about.read_text()), **life}))
                certificate.renew(site.paths, settings, "edge")
                assert site.served().serial_number != before.serial_number
        finally:
            ended.set()
            for visitor in visitors:
                visitor.join(30)
        assert lost == []
        assert answered[0] > 50


def test_the_authoritys_refusal_is_said_and_it_is_not_asked_again_at_once(
    site: Edge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(certificate, "CLIENT", client())
    monkeypatch.setattr(certificate, "PORT", free_port())  # as if the host could not reach its own address
    own = site.served()
    with pebble(tmp_path, free_port()) as directory:
        Path(site.paths.acme_roots).write_bytes((tmp_path / "directory-ca.pem").read_bytes())
        settings = site.settings(directory=directory)
        certificate.renew(site.paths, settings, "edge")
        last = site.last()
        assert "localhost" in last.problem
        assert "connection" in last.problem
        assert last.next >= last.at + certificate.FLOOR_SECONDS
        certificate.renew(site.paths, settings, "edge")
        assert site.last().at == last.at, "a second attempt was made"
    assert site.served() == own


def test_a_name_that_leads_elsewhere_costs_no_attempt(site: Edge, monkeypatch: pytest.MonkeyPatch):
    elsewhere = free_port()
    monkeypatch.setattr(certificate, "PORT", elsewhere)
    with app_on(elsewhere):
        settings = site.settings(names=[NAME, "no-such-name.invalid"])
        certificate.renew(site.paths, settings, "edge1")
    last = site.last()
    assert "localhost leads to 127.0.0.1 in DNS, and that is not an edge of this fleet" in last.problem
    assert "no-such-name.invalid has no address in DNS, as edge1 sees it" in last.problem
    assert (last.failures, last.next) == (0, 0)


def test_a_rehearsal_is_not_served_and_what_has_ended_gives_way_to_the_fleets_own(site: Edge):
    own = site.served()
    issued = site.root / "var/lib/slipway/certificate"
    other = trustme.CA().issue_cert(NAME)
    (issued / "issued.pem").write_bytes(other.private_key_and_cert_chain_pem.bytes())
    acme = site.plan.acme
    assert acme

    def about(ends: float) -> None:
        text = {"names": [NAME], "directory": acme.directory, "begins": time.time(), "ends": ends}
        (issued / "issued.json").write_text(json.dumps(text))

    about(time.time() + 9999)
    certificate.serve(site.paths, site.settings(serve=False))
    assert site.served() == own
    certificate.serve(site.paths, site.settings())
    assert site.served() != own
    about(time.time() - 1)
    certificate.serve(site.paths, site.settings())
    assert site.served() == own


def test_a_certificate_that_haproxy_refuses_is_not_written(site: Edge):
    own = site.served()
    (site.root / "etc/haproxy/site.pem").write_text("not a certificate\n")
    with pytest.raises(certificate.AgentError, match="did not take the new certificate"):
        certificate.serve(site.paths, site.settings())
    assert site.served() == own
    assert "CERTIFICATE" in (site.root / "etc/haproxy/acme.pem").read_text()
    (site.root / "etc/haproxy/site.pem").write_bytes(site.plan.site_pem.read_bytes() + b"\n")
    certificate.serve(site.paths, site.settings())


def test_pauses_grow_and_respect_the_limits_of_the_authority():
    assert [certificate.pause(count, 1) for count in (1, 2, 3, 9)] == [900, 1800, 3600, 43_200]
    assert certificate.pause(1, 3) == 2700
    assert certificate.pause(1, 1, unwilling=True) >= 3600


def test_the_clients_output_becomes_one_sentence():
    said = (
        "2026/11/27 14:00:00 [INFO] [a.example] acme: Obtaining bundled SAN certificate\n"
        "2026/11/27 14:00:01 Could not obtain certificates:\n"
        "\terror: one or more domains had a problem:\n"
        "[a.example] acme: error: 403 :: urn:ietf:params:acme:error:unauthorized :: "
        "198.51.100.7: Invalid response\n"
    )
    assert certificate.why(said) == "a.example: 198.51.100.7: Invalid response (unauthorized, 403)"
    assert certificate.why("2026/11/27 14:00:00 no such host\n") == "no such host"
    assert certificate.why("") == "the ACME client said nothing"

"""A certificate that comes by itself: one rented server, and pebble on a machine beside it."""

from __future__ import annotations

import json
import socket
import ssl
import time
import urllib.request
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography import x509

from slipway.platforms.local.bake import as_tar
from slipway.platforms.local.docker import Docker, find_docker
from tests.fleet.checks.conftest import PROOF
from tests.fleet.servers import DOMAIN, PREFIX, STACK, Laptop, health, laptop_with, on, reds
from tests.fleet.traffic import traffic
from tests.pebble import binary, settings

pytestmark = [pytest.mark.fleet, PROOF]

ROLES = {"one": "[edge, web, worker, data]", "two": "edge", "ca": "edge"}
NAMES = (DOMAIN, f"uploads.{DOMAIN}")
RPS = 300
SOCKETS = 100


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Generator[Laptop]:
    """The stack is the server `one`; `two` is there and not listed, and `ca` is the authority."""
    if find_docker() is None:
        pytest.skip("no Docker")
    binary()
    with laptop_with(tmp_path_factory.mktemp("acme"), ROLES) as made:
        authority(made, tmp_path_factory.mktemp("pebble"))
        with_acme(made)
        yield made


def authority(laptop: Laptop, folder: Path) -> None:
    """Start pebble on `ca`; the project's roots.pem holds what it and its certificates are verified by."""
    one, two, ca = laptop.servers
    text = settings(folder, names=["ca", ca.address], listen=":14000", challenges_on=80, seconds=7_776_000)
    text = json.dumps({"pebble": {**json.loads(text)["pebble"], "managementListenAddress": ":15000"}})
    files = [("/srv/pebble.json", 0o644, text.encode()), ("/srv/pebble", 0o755, binary().read_bytes())]
    files += [(f"/srv/{name}", 0o644, (folder / name).read_bytes()) for name in ("cert.pem", "key.pem")]
    Docker().run("cp", "-", f"{PREFIX}-ca:/", stdin=as_tar(tuple(files)))
    on("ca", "cd /srv && PEBBLE_VA_NOSLEEP=1 setsid ./pebble -config pebble.json >log 2>&1 </dev/null &")
    for server in (one, two):
        on(server.name, f"echo {ca.address} ca >> /etc/hosts")
    of_directory = (folder / "directory-ca.pem").read_text()
    context = ssl.create_default_context(cadata=of_directory)
    ends = time.monotonic() + 60
    while True:
        with suppress(OSError):
            url = f"https://{ca.address}:15000/roots/0"
            root = urllib.request.urlopen(url, context=context, timeout=5).read().decode()
            break
        assert time.monotonic() < ends, on("ca", "cat /srv/log")
        time.sleep(0.3)
    (laptop.root / "roots.pem").write_text(f"{of_directory}\n{root}\n")
    laptop.list_servers([one])


def with_acme(laptop: Laptop) -> None:
    with (laptop.root / f"Pulumi.{STACK}.yaml").open("a") as file:
        file.write(
            "  slipway:acme:\n    email: ops@example.com\n    server: https://ca:14000/dir\n"
            "    ca_certificates: roots.pem\n"
        )


def served(laptop: Laptop, edge: int = 0) -> x509.Certificate:
    """What an edge shows, which must be trusted by what the pipeline trusts."""
    file = laptop.root / f".slipway/{STACK}/tls/site-ca.pem"
    context = ssl.create_default_context(cafile=str(file))
    with socket.create_connection((laptop.servers[edge].address, 443), timeout=10) as raw:
        shown = context.wrap_socket(raw, server_hostname=DOMAIN).getpeercert(binary_form=True)
    assert shown
    return x509.load_der_x509_certificate(shown)


def doctor_says(laptop: Laptop) -> tuple[str, str]:
    """What `slipway doctor` finds about how the certificate comes, and how bad it is."""
    found = laptop.run("doctor", "--json").json
    (said,) = [each for each in found if each["what"].startswith("one has ")]
    return said["level"], said["what"]


def issuer(laptop: Laptop, edge: int = 0) -> str:
    return served(laptop, edge).issuer.rfc4514_string()


def test_before_dns_the_fleets_own_certificate_serves_and_what_is_missing_is_said(laptop: Laptop):
    said = laptop.done("up").err
    assert f"{DOMAIN} has no address in DNS, as one sees it" in said
    assert "one tries again every five minutes" in said
    assert "slipway" in issuer(laptop)
    laptop.done("secrets", "generate")
    released = laptop.done("release", "--json", "--observe", "0", "--no-checks").json
    assert health(laptop)["release"] == released["release"]
    level, what = doctor_says(laptop)
    assert level == "warn"
    assert what.startswith(f"one has no certificate for {' and '.join(NAMES)} yet; ordering one failed: ")
    assert what.count("has no address in DNS") == 2


def test_once_dns_is_there_the_next_up_has_a_certificate(laptop: Laptop):
    address = laptop.servers[0].address
    for machine in ("one", "two", "ca"):
        on(machine, f"echo {address} {' '.join(NAMES)} >> /etc/hosts")
    said = laptop.done("up").err
    assert f"one has a certificate for {' and '.join(NAMES)}, which ends in" in said, said
    assert "Pebble" in issuer(laptop)
    again = laptop.done("up").err
    assert "one: set up already" in again
    assert "Pebble" in issuer(laptop), "a set-up takes the certificate away"
    level, what = doctor_says(laptop)
    assert (level, "is renewed by itself on" in what) == ("ok", True)


def test_it_is_renewed_under_traffic_without_a_lost_request_or_a_cut_socket(laptop: Laptop):
    before = served(laptop).serial_number
    about = "/var/lib/slipway/certificate/issued.json"
    with traffic(laptop.root, rps=RPS, sockets=SOCKETS, stack=STACK, env=laptop.env) as meter:
        for _ in range(2):
            on("one", f'sed -i \'s/"begins": [0-9.]*/"begins": 0/\' {about}')
            on("one", "systemctl start slipway-certificate.service")
            after = served(laptop).serial_number
            assert after != before
            before = after
    meter.assert_nothing_lost()


def test_checks_and_drift_know_what_belongs_to_it(laptop: Laptop):
    found = reds(laptop.run("check", "--json").json["results"])
    # /etc/hosts stands in for DNS here, and that is what this check is for.
    strange = found.pop("I7/names-are-looked-up-where-the-platform-says").split("; ")
    assert {each.split()[3] for each in strange} == {DOMAIN, "ca"}
    assert found == {}
    assert on("one", "systemctl is-active slipway-certificate.timer") == "active"


def test_a_second_edge_gets_one_of_its_own_although_dns_leads_to_the_first(laptop: Laptop):
    first = served(laptop)
    laptop.list_servers(laptop.servers[:2])
    with_acme(laptop)
    assert f"two has a certificate for {' and '.join(NAMES)}" in laptop.done("up").err
    assert "Pebble" in issuer(laptop, edge=1)
    second = served(laptop, edge=1)
    assert (served(laptop), second.public_key() == first.public_key()) == (first, False)


def test_without_the_setting_the_server_is_as_if_it_had_never_been_there(laptop: Laptop):
    laptop.list_servers(laptop.servers[:2])
    laptop.done("up")
    left = "ls /etc/slipway /etc/haproxy /etc/systemd/system | grep -E 'acme|certificate' || true"
    assert on("one", left) == ""
    assert on("one", "systemctl is-active slipway-certificate.timer || true") == "inactive"
    assert health(laptop)["release"] == 1

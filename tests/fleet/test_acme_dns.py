"""A certificate for a name with a star: one rented server, pebble, and a stand-in for Cloudflare."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path

import pytest

from slipway.platforms.local.bake import as_tar
from slipway.platforms.local.docker import Docker, find_docker
from tests.cloudflare_dns import Cloudflare, Zone, cloudflare
from tests.fleet.checks.conftest import PROOF
from tests.fleet.command import slipway
from tests.fleet.libsql import own_address
from tests.fleet.servers import DOMAIN, PREFIX, STACK, Laptop, laptop_with, on
from tests.pebble import binary, pebble

pytestmark = [pytest.mark.fleet, PROOF]

TOKEN = "YQSn-xWAQiiEh9qM58wZNnyQS7FUdoqGIUAbrh7T"
NAMES = (DOMAIN, f"uploads.{DOMAIN}", f"*.{DOMAIN}")
CLIENT = """\
#!/bin/sh
SSL_CERT_FILE=/srv/cloudflare-ca.pem exec /usr/bin/lego.distrib --dns.resolvers {dns} --dns.disable-cp "$@"
"""
"""In place of Debian's client on the server: asks the stand-in for names, and trusts it."""


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[Laptop, Cloudflare]]:
    """A stack of one server for previews, whose names nothing but the stand-in knows."""
    if find_docker() is None:
        pytest.skip("no Docker")
    binary()
    folder = tmp_path_factory.mktemp("dns")
    with laptop_with(folder, {"one": "[edge, web, worker, data]"}) as laptop:
        address = own_address(laptop.servers[0].address)
        zone = Zone(DOMAIN.partition(".")[2], TOKEN)
        with (
            cloudflare(folder, zone, address) as standin,
            pebble(folder, 80, 7_776_000, standin.dns, address) as directory,
        ):
            set_out(laptop, folder, standin, directory)
            yield laptop, standin


def set_out(laptop: Laptop, folder: Path, standin: Cloudflare, directory: str) -> None:
    """Settings of the stack, and the server's ways to the stand-ins."""
    (laptop.root / "roots.pem").write_bytes((folder / "directory-ca.pem").read_bytes())
    with (laptop.root / f"Pulumi.{STACK}.yaml").open("a") as file:
        file.write(
            "  slipway:previews: true\n  slipway:acme:\n    email: ops@example.com\n"
            f"    server: {directory}\n    ca_certificates: roots.pem\n    challenge: dns\n"
        )
    # Set-up itself tries as often: a server that has just begun may not reach Debian yet.
    ready = "for _ in $(seq 60); do apt-get -qq update && break; sleep 5; done"
    install = f"{ready}; apt-get -qq -y install --no-install-recommends lego >/dev/null"
    Docker().execute(f"{PREFIX}-one", install, timeout=400)
    on("one", "dpkg-divert --quiet --local --rename --add /usr/bin/lego && mkdir -p /etc/slipway")
    api = json.dumps({"endpoints": {"cloudflare": standin.api}})
    files = (
        ("/usr/bin/lego", 0o755, CLIENT.format(dns=standin.dns).encode()),
        ("/srv/cloudflare-ca.pem", 0o644, standin.ca_file.read_bytes()),
        ("/etc/slipway/endpoints.json", 0o644, api.encode()),
    )
    Docker().run("cp", "-", f"{PREFIX}-one:/", stdin=as_tar(files))


def test_without_the_token_nothing_is_set_up(there: tuple[Laptop, Cloudflare]):
    laptop, _ = there
    refused = laptop.run("up")
    assert refused.code == 2
    assert "needs the secret ACME_CLOUDFLARE_TOKEN" in refused.err
    assert on("one", "ls /etc/slipway") == "endpoints.json"


def test_a_record_proves_the_names_before_any_of_them_leads_to_the_edge(there: tuple[Laptop, Cloudflare]):
    laptop, standin = there
    args = ("secrets", "set", "ACME_CLOUDFLARE_TOKEN", "--stack", STACK)
    assert slipway(laptop.root, *args, stdin=TOKEN, env=laptop.env).code == 0
    said = laptop.done("up").err
    assert f"one has a certificate for {' and '.join(NAMES)}, which ends in" in said, said
    shown = on("one", "openssl x509 -in /etc/haproxy/acme.pem -noout -issuer -ext subjectAltName")
    assert "Pebble" in shown
    assert all(f"DNS:{name}" in shown for name in NAMES)
    assert sorted(set(standin.zone.made)) == [
        f"_acme-challenge.{DOMAIN}",
        f"_acme-challenge.uploads.{DOMAIN}",
    ]
    assert standin.zone.records == {}


def test_the_token_is_in_one_file_of_roots(there: tuple[Laptop, Cloudflare]):
    assert on("one", "stat -c '%a %U' /etc/slipway/acme-cloudflare.token") == "600 root"
    found = f"grep -rlsF -e '{TOKEN}' /etc /run /srv /usr/local /var || true"
    assert on("one", found).split() == ["/etc/slipway/acme-cloudflare.token"]
    assert on("one", f"journalctl --no-pager -q | grep -cF -e '{TOKEN}' || true") == "0"

"""The site's certificate by DNS-01: Debian's client, pebble, and a stand-in for Cloudflare's DNS."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from cryptography import x509

from hosts import acme as acme_deploy, edge
from hosts.agent import certificate
from hosts.inventory.expected import set_ups
from hosts.plan import FleetPlan
from tests.cloudflare_dns import Cloudflare, Zone, cloudflare
from tests.pebble import client, pebble
from tests.ports import free_port
from tests.unit.hosts.test_acme import Edge, running, with_acme

NAMES = ("app.example.com", "*.app.example.com")
TOKEN = "YQSn-xWAQiiEh9qM58wZNnyQS7FUdoqGIUAbrh7T"
CLIENT = """\
#!/bin/sh
tr '\\0' '\\n' </proc/$$/environ >{folder}/environment
tr '\\0' '\\n' </proc/$$/cmdline >{folder}/words
SSL_CERT_FILE={ca_file} exec {lego} --dns.resolvers {dns} --dns.disable-cp "$@"
"""
"""Has the client ask the stand-in for names, and notes what it was given."""
AGENT = """\
#!/bin/sh
tr '\\0' '\\n' </proc/$$/environ >>{folder}/environment
tr '\\0' '\\n' </proc/$$/cmdline >>{folder}/words
cd {here} && exec {python} -c '
import sys
from hosts.agent import certificate, errors, host
try:
    certificate.change_record(host.Paths("'{root}'"), sys.argv[2])
except errors.AgentError:
    sys.exit(1)
' "$@"
"""
"""The agent, whose files are below the test's folder."""


@dataclass
class Place:
    site: Edge
    cloudflare: Cloudflare
    directory: str
    folder: Path

    def renew(self, token: str = TOKEN) -> certificate.Last:
        Path(self.site.paths.acme_token).write_text(token)
        settings = self.site.settings(directory=self.directory, names=list(NAMES), challenge="dns")
        certificate.renew(self.site.paths, settings, "edge")
        return self.site.last()


@pytest.fixture
def place(plan: FleetPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Place]:
    lego = client()
    made = with_acme(plan, names=NAMES, cloudflare_token=TOKEN)
    with (
        TemporaryDirectory(prefix="acme-") as root,
        cloudflare(tmp_path, Zone("example.com", TOKEN)) as there,
        pebble(tmp_path, free_port(), dns=there.dns) as directory,
        running(made, Path(root)) as site,
    ):
        script = tmp_path / "lego"
        words = {
            "folder": tmp_path, "ca_file": there.ca_file, "dns": there.dns, "lego": lego,
            "python": sys.executable, "here": Path(__file__).parents[3], "root": root,
        }  # fmt: skip
        quoted = {name: shlex.quote(str(value)) for name, value in words.items()}
        for name, text in (("CLIENT", CLIENT), ("AGENT", AGENT)):
            script = tmp_path / name
            script.write_text(text.format(**quoted))
            script.chmod(0o755)
            monkeypatch.setattr(certificate, name, str(script))
        (Path(root) / "etc/slipway/endpoints.json").write_text(
            json.dumps({"endpoints": {"cloudflare": there.api}})
        )
        monkeypatch.setattr(certificate, "PORT", free_port())  # nothing has to reach the edge
        Path(site.paths.acme_roots).write_bytes((tmp_path / "directory-ca.pem").read_bytes())
        yield Place(site, there, directory, tmp_path)


def test_a_record_at_cloudflare_proves_names_with_a_star_which_the_edge_then_serves(place: Place):
    own = place.site.served()
    assert place.renew().problem == ""
    served = place.site.served()
    assert served.issuer != own.issuer
    names = served.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.DNSName)) == set(NAMES)
    zone = place.cloudflare.zone
    assert zone.made == ["_acme-challenge.app.example.com"] * len(NAMES)
    assert zone.records == {}, "the records are removed"


def test_the_token_reaches_the_client_by_a_file_alone(place: Place):
    place.renew()
    given = (place.folder / "environment").read_text()
    assert "EXEC_PATH=" in given
    assert "present _acme-challenge.app.example.com. " in (place.folder / "words").read_text()
    assert TOKEN not in given
    assert TOKEN not in (place.folder / "words").read_text()
    left = Path(place.site.paths.certificate)
    assert not [path for path in left.rglob("*") if path.is_file() and TOKEN in path.read_text()]


def test_a_token_that_cloudflare_refuses_is_said_without_its_value(place: Place):
    own = place.site.served()
    wrong = TOKEN[::-1]
    last = place.renew(wrong)
    assert "Authentication error" in last.problem
    assert wrong not in last.problem
    assert last.next >= last.at + certificate.FLOOR_SECONDS
    assert place.site.served() == own
    assert place.cloudflare.zone.refused > 0


def test_where_dns_proves_the_names_the_edge_answers_no_challenge_and_the_token_is_roots(plan: FleetPlan):
    by_dns = with_acme(plan, names=NAMES, cloudflare_token=TOKEN)
    assert "acme-challenge" in edge.configuration(with_acme(plan))
    assert "acme-challenge" not in edge.configuration(by_dns)
    assert TOKEN not in repr(by_dns.acme)
    files = set_ups(by_dns, {})[1]
    assert files["edge"].files[acme_deploy.TOKEN].mode == "600"
    assert [name for name, found in files.items() if acme_deploy.TOKEN in found.files] == ["edge"]
    assert acme_deploy.TOKEN not in set_ups(with_acme(plan), {})[1]["edge"].files


def test_the_unit_has_no_word_of_the_token(plan: FleetPlan):
    found = set_ups(with_acme(plan, cloudflare_token=TOKEN), {})[1]["edge"]
    settings = found.settings[acme_deploy.SERVICE]
    assert not [key for key in settings if "Environment" in key or "Credential" in key]
    assert Path(acme_deploy.TOKEN).name not in str(settings)

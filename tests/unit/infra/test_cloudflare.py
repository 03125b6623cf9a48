"""What Cloudflare's parts decide without Cloudflare."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from infra import RECORDED
from infra.aws.buckets import explicit_origins
from infra.cloudflare.front import SETTINGS, covered_by_zone, without_dot
from infra.cloudflare.origin import FINGERPRINT, IPV4, IPV6, changes, origin_ca
from infra.cloudflare.realtime import PLACEHOLDER, SCRIPT, built_script
from infra.cloudflare.rulesets import static_expression
from infra.cloudflare.uploads import token_scope
from slipway.settings import BadInput


def test_ranges_are_networks_of_their_family_and_none_lies_in_another():
    v4, v6 = [ip_network(each) for each in IPV4], [ip_network(each) for each in IPV6]
    assert {each.version for each in v4} == {4} and {each.version for each in v6} == {6}
    for family in (v4, v6):
        assert not [(a, b) for a in family for b in family if a != b and a.overlaps(b)]
    # Nothing that belongs to nobody, or to everybody.
    assert all(each.is_global and each.prefixlen >= 12 for each in (*v4, *v6))


def test_a_change_of_the_published_ranges_is_seen():
    assert changes("\n".join(IPV4), "\n".join(reversed(IPV6))) == []
    published = "\n".join([*IPV4[1:], "203.0.113.0/24"])
    assert changes(published, "\n".join(IPV6)) == ["+ 203.0.113.0/24", f"- {IPV4[0]}"]


def test_the_origin_authority_is_cloudflare_s_and_signs_itself():
    authority = x509.load_pem_x509_certificate(origin_ca().encode())
    authority.verify_directly_issued_by(authority)
    assert authority.fingerprint(hashes.SHA256()).hex() == FINGERPRINT
    assert "CN=origin-pull.cloudflare.net" in authority.subject.rfc4514_string()
    assert authority.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_tls_is_strict_and_sockets_pass():
    assert SETTINGS["ssl"] == "strict"
    assert SETTINGS["min_tls_version"] == "1.2"
    assert SETTINGS["tls_client_auth"] == SETTINGS["websockets"] == SETTINGS["always_use_https"] == "on"
    assert SETTINGS["0rtt"] == "off"


@pytest.mark.parametrize(
    ("domain", "covered"),
    [("acme.dev", True), ("board.acme.dev", True), ("preview.board.acme.dev", False)],
)
def test_a_name_two_labels_below_the_zone_needs_a_certificate_of_its_own(domain: str, covered: bool):
    assert covered_by_zone(domain, "acme.dev") is covered


def test_the_api_is_never_taken_for_a_static_file():
    expression = static_expression("board.acme.dev")
    assert 'not starts_with(http.request.uri.path, "/api/")' in expression
    assert '{"GET" "HEAD"}' in expression
    assert "html" not in expression and "json" not in expression


def test_a_token_is_good_for_one_bucket():
    assert token_scope("a" * 32, "board-prod-uploads") == {
        f"com.cloudflare.edge.r2.bucket.{'a' * 32}_default_board-prod-uploads": "*"
    }


def test_names_of_proofs_lose_their_dot():
    assert without_dot("_x.board.acme.dev.") == "_x.board.acme.dev"
    assert without_dot("plain") == "plain"


def test_a_worker_that_was_not_built_is_refused_with_the_command(tmp_path: Path):
    with pytest.raises(BadInput, match="not built") as told:
        built_script(tmp_path)
    assert "bun run worker:build" in told.value.remedy
    (tmp_path / SCRIPT).parent.mkdir(parents=True)
    (tmp_path / SCRIPT).write_text("export class Board {}")
    assert built_script(tmp_path) == "export class Board {}"


def test_a_recorded_graph_needs_no_built_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(RECORDED, "1")
    assert built_script(tmp_path) == PLACEHOLDER
    (tmp_path / SCRIPT).parent.mkdir(parents=True)
    (tmp_path / SCRIPT).write_text("export class Board {}")
    assert built_script(tmp_path) == "export class Board {}"


@pytest.mark.parametrize("origin", ["*", "https://*.acme.dev", "http://acme.dev", "acme.dev"])
def test_an_origin_that_lets_in_more_than_itself_is_refused(origin: str):
    with pytest.raises(BadInput, match="origins"):
        explicit_origins(["https://board.acme.dev", origin])


def test_origins_are_kept_in_order_and_once():
    assert explicit_origins(["https://b.dev", "https://a.dev", "https://b.dev"]) == [
        "https://b.dev",
        "https://a.dev",
    ]

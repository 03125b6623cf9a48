from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from hosts.digest import setup_digest
from slipway.fleet.replies import Certificate
from slipway.platforms import authority, data_host
from slipway.platforms.authority import ensure_leaf_pem, make_account_key, make_authority, thumbprint
from slipway.platforms.platform import platform_of
from slipway.platforms.servers.certificates import about_issue, acme_of, ending, ensure_certificates, judge
from slipway.platforms.servers.outputs import open_outputs
from slipway.platforms.servers.up import fleet_plan
from slipway.platforms.site import site_problem
from slipway.secrets.signing import signers_file
from slipway.secrets.store import ensure_random
from slipway.settings import BadInput, Project
from slipway.settings.stack import Acme
from tests.ports import free_port
from tests.unit.hosts.live import haproxy
from tests.unit.platforms.servers.conftest import Memory

NAMES = ["board.example", "uploads.board.example"]
AUTHORITY = make_authority("other")


def site(*names: str) -> str:
    return ensure_leaf_pem(None, AUTHORITY, names).decode()


def test_certificates_are_made_once_and_kept_in_the_secret_store(project: Project):
    store = Memory()
    first = ensure_certificates(store, project)
    assert ensure_certificates(store, project) == first == store.values
    assert store.writes == 1
    assert {"PLATFORM_CA_CERTIFICATE", "PLATFORM_CA_KEY", "PLATFORM_SITE_CERTIFICATE"} <= set(first)


def test_two_machines_with_the_same_store_ask_for_the_same_set_up(
    project: Project, tmp_path_factory: pytest.TempPathFactory
):
    store = Memory()
    ensure_random(store, data_host.NAMES)
    secrets = ensure_certificates(store, project)
    signers_file(project).parent.mkdir()
    signers_file(project).write_text("ana@example.com ssh-ed25519 AAAA\n")
    digests: list[dict[str, str]] = []
    for _ in range(2):
        object.__setattr__(project, "state_dir", tmp_path_factory.mktemp("clone"))
        plan = fleet_plan(project, open_outputs(project, secrets), secrets)
        digests.append({host.name: setup_digest(plan, host) for host in plan.outputs.hosts})
    assert digests[0] == digests[1]


def test_a_data_host_that_moved_gets_another_certificate_by_the_same_authority(project: Project):
    store = Memory()
    first = ensure_certificates(store, project)
    servers = [each.model_copy(update={"address": f"{each.address}0"}) for each in project.stack.servers]
    object.__setattr__(project, "stack", project.stack.model_copy(update={"servers": servers}))
    second = ensure_certificates(store, project)
    assert first["PLATFORM_DATA_CERTIFICATE"] != second["PLATFORM_DATA_CERTIFICATE"]
    assert first["PLATFORM_CA_KEY"] == second["PLATFORM_CA_KEY"]


def test_each_web_host_has_a_certificate_of_its_own_name_and_no_other(project: Project):
    held = ensure_certificates(Memory(), project)
    named: dict[str, set[str]] = {}
    for entry, pem in held.items():
        if entry.startswith("PLATFORM_WEB_CERTIFICATE_"):
            its = x509.load_pem_x509_certificate(pem.encode()).extensions
            names = its.get_extension_for_class(x509.SubjectAlternativeName).value
            named[entry] = set(names.get_values_for_type(x509.DNSName))
    assert named == {"PLATFORM_WEB_CERTIFICATE_WEB1": {"web1"}, "PLATFORM_WEB_CERTIFICATE_WEB2": {"web2"}}
    assert len({held[entry] for entry in named}) == 2


def test_the_fleets_own_certificates_are_named_before_they_end(project: Project):
    held = ensure_certificates(Memory(), project)
    assert ending(held) == {}
    later = datetime.now(UTC) + timedelta(days=authority.LEAF_DAYS - 9)
    assert ending(held, later) == dict.fromkeys(
        [*(f"PLATFORM_{kind}_CERTIFICATE_WEB{n}" for kind in ("WEB", "REDIS") for n in (1, 2)),
         "PLATFORM_DATA_CERTIFICATE",
         "PLATFORM_SITE_CERTIFICATE"], 8,
    )  # fmt: skip


@pytest.mark.parametrize("names", [NAMES, ["*.board.example", "board.example"]])
def test_a_certificate_that_fits_is_taken(names: list[str]):
    assert judge(site(*names), NAMES, "prod").warnings() == [
        "SITE_CERTIFICATE holds no chain: some clients will not trust the certificate"
    ]
    assert judge(site(*names) + AUTHORITY.certificate.decode(), NAMES, "prod").warnings() == []


def test_one_that_ends_soon_is_told():
    fits = judge(site(*NAMES) + AUTHORITY.certificate.decode(), NAMES, "prod")
    assert fits.warnings(fits.ends - timedelta(days=3)) == ["SITE_CERTIFICATE ends in 3 days"]


def keyless() -> str:
    return site(*NAMES).partition("-----BEGIN PRIVATE")[0]


def expired() -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(authority, "LEAF_DAYS", -1)
        patch.setattr(authority, "_SKEW", timedelta(days=5))
        return site(*NAMES)


@pytest.mark.parametrize(
    ("pem", "problem"),
    [
        ("nonsense", "holds no certificate"),
        (keyless(), "holds no private key"),
        (keyless() + site("x.example").partition("-----END CERTIFICATE-----\n")[2], "not its certificate's"),
        (AUTHORITY.certificate.decode() + site(*NAMES), "must begin with the site's own certificate"),
        (site("board.example"), "is for board.example, and not for uploads.board.example"),
        (site("*.example"), "not for uploads.board.example"),
        (expired(), f"expired on {datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}"),
    ],
)
def test_a_certificate_that_does_not_fit_is_refused_without_a_word_of_it(pem: str, problem: str):
    with pytest.raises(BadInput) as caught:
        judge(pem, NAMES, "prod")
    assert problem in caught.value.message
    assert "slipway secrets set SITE_CERTIFICATE --stack prod" in caught.value.remedy
    assert "PRIVATE" not in caught.value.message


def by_acme(project: Project, **settings: str) -> Project:
    acme = Acme.model_validate({"email": "ops@example.com", **settings})
    object.__setattr__(project, "stack", project.stack.model_copy(update={"acme": acme}))
    return project


def test_an_account_is_made_once_and_its_certificates_are_trusted_beside_the_fleets_own(project: Project):
    store = Memory()
    ensure_random(store, data_host.NAMES)
    bare = ensure_certificates(store, project)
    assert acme_of(project, bare) is None
    by_acme(project)
    secrets = ensure_certificates(store, project)
    assert ensure_certificates(store, project) == secrets
    outputs = open_outputs(project, secrets)
    acme = acme_of(project, secrets)
    assert acme
    assert (acme.names, acme.serve) == (("board.example", "uploads.board.example"), True)
    assert acme.account_key not in repr(acme)
    trusted = Path(outputs.ca_file).read_text()
    assert trusted.startswith(secrets["PLATFORM_CA_CERTIFICATE"].strip())
    assert trusted.count("-----BEGIN CERTIFICATE-----") > 50, "the authorities of this machine"
    assert Path(outputs.builds.ca_file).read_text().count("BEGIN") == 1


def test_a_certificate_in_the_store_wins_over_acme(project: Project):
    store = Memory(SITE_CERTIFICATE=site(*NAMES))
    ensure_random(store, data_host.NAMES)
    secrets = ensure_certificates(store, by_acme(project))
    outputs = open_outputs(project, secrets)
    assert outputs.ca_file == ""
    assert acme_of(project, secrets) is None


def test_a_certificate_of_a_private_authority_is_trusted_by_the_root_that_ends_its_chain(
    project: Project, tmp_path: Path
):
    """As Cloudflare's origin certificates are, which only Cloudflare trusts."""
    pem = site(*NAMES) + AUTHORITY.certificate.decode()
    secrets = ensure_certificates(Memory(SITE_CERTIFICATE=pem), project)
    port = free_port()
    (tmp_path / "site.pem").write_text(pem)
    served = (
        "defaults\n  mode http\n  timeout client 9s\n"
        f"frontend site\n  bind 127.0.0.1:{port} ssl crt {tmp_path}/site.pem\n"
    )
    with haproxy(tmp_path, served, port):
        outputs = open_outputs(project, secrets).model_copy(update={"connect": f"127.0.0.1:{port}"})
        assert site_problem(outputs) == ""
        assert site_problem(outputs.model_copy(update={"ca_file": ""})).endswith(
            "certificate in certificate chain"
        )
    without = ensure_certificates(Memory(SITE_CERTIFICATE=site(*NAMES)), project)
    assert open_outputs(project, without).ca_file == "", "nothing says who signed it"
    platform = platform_of(project)
    object.__setattr__(platform, "secrets", secrets)
    assert "slipway secrets set SITE_CERTIFICATE" in platform.renewal(outputs)


def test_dns_proves_names_with_the_token_of_the_store_and_refuses_to_go_without(project: Project):
    secrets = ensure_certificates(Memory(), by_acme(project, challenge="dns"))
    with pytest.raises(BadInput, match="needs the secret ACME_CLOUDFLARE_TOKEN") as caught:
        acme_of(project, secrets)
    assert "slipway secrets set ACME_CLOUDFLARE_TOKEN --stack prod" in caught.value.remedy
    acme = acme_of(project, {**secrets, "ACME_CLOUDFLARE_TOKEN": "YQSn-xWAQiiEh9qM58wZ\n"})
    assert acme
    assert (acme.challenge, acme.cloudflare_token) == ("dns", "YQSn-xWAQiiEh9qM58wZ")
    by_http = acme_of(by_acme(project), {**secrets, "ACME_CLOUDFLARE_TOKEN": "YQSn-xWAQiiEh9qM58wZ"})
    assert by_http
    assert by_http.challenge == "http"


def test_roots_of_an_authority_of_ones_own_are_read_from_the_project(project: Project):
    url = "https://ca.example/acme/acme/directory"
    store = Memory()
    by_acme(project, server=url, ca_certificates="roots.pem")
    secrets = ensure_certificates(store, project)
    with pytest.raises(BadInput, match=r"roots\.pem cannot be read"):
        open_outputs(project, secrets)
    (project.root / "roots.pem").write_bytes(AUTHORITY.certificate)
    outputs = open_outputs(project, secrets)
    assert Path(outputs.ca_file).read_bytes().endswith(AUTHORITY.certificate)


def test_a_thumbprint_follows_from_the_key_alone():
    key = make_account_key()
    assert key.startswith(b"-----BEGIN EC PRIVATE KEY-----"), "the form that the ACME client reads"
    assert len(thumbprint(key)) == 43
    assert thumbprint(key) == thumbprint(key) != thumbprint(make_account_key())


NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


LATER = {"ends": NOW.timestamp() + 86_400 * 60, "renews": NOW.timestamp() + 86_400 * 30}
NO_DNS = "a.example has no address in DNS"


@pytest.mark.parametrize(
    ("found", "good", "said"),
    [
        (LATER, True, "ends in 60 days and is renewed by itself on 2026-12-27"),
        ({}, False, "has no certificate for a.example yet; none was ordered"),
        ({"problem": NO_DNS, "at": NOW.timestamp(), "next": 0.0}, False, f"failed: {NO_DNS}"),
        ({**LATER, "serve": False}, False, "the fleet's own is served"),
        ({**LATER, "problem": NO_DNS}, False, "ends in 60 days; ordering one failed"),
    ],
)
def test_what_an_edge_says_of_its_certificate_is_one_sentence(
    found: dict[str, object], good: bool, said: str
):
    reply = Certificate.model_validate({"names": ["a.example"], "serve": True, **found})
    is_good, what, remedy = about_issue("edge1", reply, NOW)
    assert (is_good, bool(remedy)) == (good, not good)
    assert said in what


def test_the_next_attempt_is_named_where_the_authoritys_limits_delay_it():
    reply = Certificate(names=["a.example"], serve=True, problem="refused", next=NOW.timestamp() + 3600)
    assert about_issue("edge1", reply, NOW)[2] == (
        "edge1 tries again not before 2026-11-27 13:00 UTC, because of the authority's limits"
    )

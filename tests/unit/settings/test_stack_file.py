from __future__ import annotations

from pathlib import Path

import pytest

from slipway.settings import BadInput, find_root, load_stack
from slipway.settings.violations import InvalidSettings

SERVER = "{name: %s, role: %s, address: 10.0.0.1, ssh: root@203.0.113.7:22, host_key: ssh-ed25519 AAAAC3Nz}"


def refused(project: Path, settings: str) -> list[str]:
    (project / "Pulumi.local.yaml").write_text(f"config:\n{settings}")
    with pytest.raises(InvalidSettings) as error:
        load_stack(project, "local")
    return [f"{violation} ({violation.remedy})" for violation in error.value.violations]


def test_a_stack_is_read_with_other_namespaces_left_to_their_owners(project: Path):
    (project / "Pulumi.local.yaml").write_text(
        "encryptionsalt: v1:abc\nconfig:\n  aws:region: eu-central-1\n  slipway:platform: local\n"
        "  slipway:redis: 'false'\n  slipway:local:\n    https_port: 9443\n"
    )
    stack = load_stack(project, "local")
    assert (stack.fleet_id, stack.redis, stack.local.https_port) == ("board-local", False, 9443)


def test_an_unknown_stack_names_those_that_exist(project: Path):
    with pytest.raises(BadInput, match='there is no stack "locl"') as error:
        load_stack(project, "locl")
    assert 'did you mean "local"?' in error.value.remedy
    with pytest.raises(BadInput) as error:
        load_stack(project, "../etc/passwd")
    assert "stacks here: local" in error.value.remedy


def test_mistakes_have_file_line_key_and_remedy(project: Path):
    assert refused(
        project,
        "  slipway:platform: localhost\n  slipway:databse: none\n"
        "  slipway:local:\n    http_prt: 1\n    web: 0\n",
    ) == [
        'Pulumi.local.yaml:2 slipway:platform: must be "local", "servers" or "aws", got "localhost"'
        ' (did you mean "local"?)',
        'Pulumi.local.yaml:3 slipway:databse: unknown key (did you mean "database"?)',
        'Pulumi.local.yaml:5 slipway:local.http_prt: unknown key (did you mean "http_port"?)',
        "Pulumi.local.yaml:6 slipway:local.web: must be at least 1, got 0 ()",
    ]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (
            "  platform: local\n  slipway:platform: local\n",
            '"platform" has no namespace (write "slipway:platform")',
        ),
        ("  slipway:platform:\n    secure: AAAB\n", "slipway:platform: must not be a Pulumi secret"),
        (
            "  slipway:platform: local\n  slipway:env: {A: 1}\n",
            "3 slipway:env.A: must be text in quotes",
        ),
        ("  slipway:platform: aws\n", "slipway:domain: is required on platform aws"),
        (
            "  slipway:platform: local\n  slipway:domain: http://x\n",
            "3 slipway:domain: must be a domain name",
        ),
        ("  slipway:platform: servers\n  slipway:domain: a.b\n", "platform servers needs servers"),
        (
            f"  slipway:platform: local\n  slipway:servers: [{SERVER % ('a', 'web')}]\n",
            "is for platform servers",
        ),
        (
            "  slipway:platform: local\n  slipway:local: {http_port: 8443}\n",
            "http_port: 8443 is taken by https_port",
        ),
        ("  slipway:platform: local\n  slipway:local: {https_port: 2222}\n", "2222 is taken by ssh_port"),
        ("  slipway:platform: local\n  slipway:platform: aws\n", "3 config.slipway:platform: is given twice"),
        ("  slipway:platform: [\n", "not valid YAML"),
        (
            "  slipway:platform: local\n  slipway:local: {one_host: true, web: 2}\n",
            "slipway:local.web: counts hosts, and one_host says that there is one (remove it)",
        ),
    ],
)
def test_what_cannot_be_is_refused(project: Path, settings: str, expected: str):
    assert expected in "\n".join(refused(project, settings))


def test_servers_need_an_edge_a_web_and_a_data_host(project: Path):
    found = refused(
        project,
        f"  slipway:platform: servers\n  slipway:domain: a.example\n  slipway:servers:\n"
        f"    - {SERVER % ('web1', 'web')}\n"
        f"    - {SERVER.replace('root@', '').replace('10.0.0.1', '10.0.0.2') % ('w', 'worker')}\n",
    )
    assert [line.split(": ", 1)[1].split(" (")[0] for line in found] == [
        "there is no server of role data",
        "there is no server of role edge",
        'must be user@host or user@host:port, got "203.0.113.7:22"',
    ]
    assert found[2].startswith("Pulumi.local.yaml:6 slipway:servers[1].ssh")


def server(name: str, role: str, number: int, more: str = "") -> str:
    return (
        f"    - {{name: {name}, role: {role}, address: 10.0.0.{number}, ssh: root@203.0.113.{number}, "
        f"host_key: ssh-ed25519 AAAAC3Nz{more}}}\n"
    )


SERVERS = "  slipway:platform: servers\n  slipway:domain: a.example\n  slipway:servers:\n"
EDGE, WEB, DATA = server("e", "edge", 1), server("w", "web", 2), server("d", "data", 3)
SMALLEST = SERVERS + EDGE + WEB + DATA
ONE = server("one", "[edge, web, worker, data]", 1)
SPLITS = {
    "one": ONE,
    "data apart": server("a", "[edge, web, worker]", 1) + server("b", "data", 2),
    "edge apart": server("a", "edge", 1) + server("b", "[web, worker, data]", 2),
    "two that serve": server("a", "[edge, web]", 1)
    + server("b", "[web, worker]", 2)
    + server("c", "[data]", 3),
    "a second web host": ONE + server("b", "web", 2),
    "a second worker": ONE + server("b", "[web, worker]", 2),
    "each apart": EDGE + WEB + DATA + server("x", "worker", 4),
}


def test_the_smallest_fleet_of_servers_and_one_with_several_a_role_are_taken(project: Path):
    for settings in (SMALLEST, SMALLEST + server("e2", "edge", 4) + server("w2", "web", 5)):
        (project / "Pulumi.local.yaml").write_text(f"config:\n{settings}")
        stack = load_stack(project, "local")
        assert (stack.servers[0].ssh_user, stack.servers[0].ssh_host) == ("root", "203.0.113.1")
        assert stack.servers[0].ssh_port == 22


@pytest.mark.parametrize("split", SPLITS)
def test_roles_may_share_a_server_or_be_apart(project: Path, split: str):
    (project / "Pulumi.local.yaml").write_text(f"config:\n{SERVERS}{SPLITS[split]}")
    roles = [server.roles for server in load_stack(project, "local").servers]
    assert {role for each in roles for role in each} >= {"edge", "web", "data"}


def test_a_role_is_written_alone_or_in_a_list_of_any_order(project: Path):
    for written in ("[data, web, edge]", "[edge, data, web]"):
        (project / "Pulumi.local.yaml").write_text(
            f"config:\n{SERVERS}{server('a', written, 1)}{server('w', 'web', 2)}"
        )
        assert [server.roles for server in load_stack(project, "local").servers] == [
            ("edge", "web", "data"),
            ("web",),
        ]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (SMALLEST + server("x", "web", 1), "servers[3].address: is e's too (list its roles in one entry"),
        (SMALLEST + server("d2", "data", 4), "2 servers of role data, one is served"),
        (SMALLEST.replace("10.0.0.2", "web.lan"), 'address: must be an IP address, got "web.lan"'),
        (SMALLEST + server("x", "web", 4, ", public: x.example"), "servers[3].public: is for edges"),
        (SERVERS + EDGE + WEB, "it keeps the builds, PostgreSQL, Redis, uploads"),
        (
            "  slipway:database: external\n  slipway:redis: false\n  slipway:uploads: false\n"
            + SERVERS + EDGE + WEB,
            "there is no server of role data (add one: it keeps the builds)",
        ),
        (SERVERS + WEB + DATA, "no server of role edge (add one: it takes"),
        (SERVERS + server("a", "[edge, web]", 1), "there is no server of role data"),
        (SERVERS + server("a", "[]", 1), "servers[0].role: must name at least one role"),
        (SERVERS + server("a", "[web, web, edge, data]", 1), "servers[0].role: names web twice"),
        (SERVERS + server("a", "[edge, wbe, data]", 1), 'servers[0].role[1]: must be "edge", "web", '),
        (SERVERS + server("a", "[edge, wbe, data]", 1), 'did you mean "web"?'),
        (SERVERS + server("a", "wbe", 1), 'did you mean "web"?'),
        (
            SERVERS + server("a", "[web, data]", 1, ", public: x.example") + EDGE.replace("1,", "2,", 1),
            "servers[0].public: is for edges",
        ),
        (SERVERS + ONE + server("d", "[worker, data]", 2), "2 servers of role data, one is served (keep"),
    ],
)  # fmt: skip
def test_servers_that_cannot_be_a_fleet_are_refused(project: Path, settings: str, expected: str):
    assert expected in "\n".join(refused(project, settings))


def test_the_root_is_found_from_below(project: Path):
    (project / "app" / "src").mkdir()
    assert find_root(project / "app" / "src") == project
    with pytest.raises(BadInput, match=r"no Pulumi\.yaml"):
        find_root(Path("/"))


def test_a_project_name_that_no_bucket_could_have_is_refused(project: Path):
    (project / "Pulumi.yaml").write_text("runtime: python\nname: My_Board\n")
    with pytest.raises(InvalidSettings, match=r"Pulumi\.yaml:2 name: must be lowercase letters"):
        load_stack(project, "local")


def test_a_certificate_by_acme_needs_what_http_can_prove(project: Path):
    servers = "  slipway:platform: servers\n  slipway:servers:\n    - " + SERVER % (
        "one",
        "[edge, web, data]",
    )

    def said(rest: str, domain: str = "app.example.com") -> str:
        return "\n".join(refused(project, f"{servers}\n  slipway:domain: {domain}\n{rest}"))

    assert "acme.email: is required" in said("  slipway:acme: {}\n").replace("slipway:", "")
    assert "must be an e-mail address" in said("  slipway:acme: {email: ../x@example.com}\n")
    mail = "email: ops@example.com"
    assert "must be letsencrypt, staging or an https URL" in said(
        f"  slipway:acme: {{{mail}, server: http://ca.example/d}}\n"
    )
    assert "is for an authority of your own" in said(f"  slipway:acme: {{{mail}, ca_certificates: r.pem}}\n")
    assert "cannot prove *.app.example.com" in said(f"  slipway:acme: {{{mail}}}\n  slipway:previews: true\n")
    assert "must be a public name" in said(f"  slipway:acme: {{{mail}}}\n", domain="10.0.0.7")
    local = refused(project, f"  slipway:platform: local\n  slipway:acme: {{{mail}}}\n")
    assert any("acme: is for platform servers" in each for each in local)
    (project / "Pulumi.local.yaml").write_text(
        f"config:\n{servers}\n  slipway:domain: app.example.com\n"
        f"  slipway:acme: {{{mail}, server: staging}}\n"
    )
    acme = load_stack(project, "local").acme
    assert acme
    assert (acme.directory, acme.serve) == ("https://acme-staging-v02.api.letsencrypt.org/directory", False)


def test_a_record_in_dns_proves_the_names_of_previews_too(project: Path):
    server = SERVER % ("one", "[edge, web, data]")
    (project / "Pulumi.local.yaml").write_text(
        f"config:\n  slipway:platform: servers\n  slipway:servers:\n    - {server}\n"
        "  slipway:domain: app.example.com\n  slipway:previews: true\n"
        "  slipway:acme: {email: ops@example.com, challenge: dns}\n"
    )
    stack = load_stack(project, "local")
    assert stack.acme
    assert (stack.acme.challenge, stack.previews) == ("dns", True)

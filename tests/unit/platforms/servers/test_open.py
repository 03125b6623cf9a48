import os
import subprocess
import sys
from pathlib import Path

import pytest

from slipway.fleet.ssh_config import control_folder
from slipway.platforms.servers.outputs import compose_outputs, open_outputs, ssh_identity
from slipway.settings import BadInput, Outputs, Project
from tests.unit.platforms.servers.conftest import SERVERS, server

SECRETS = {"PLATFORM_CA_CERTIFICATE": "the authority\n"}
SSH_KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----"


def composed(project: Project, *, public_site: bool = False, **changes: object) -> Outputs:
    stack = project.stack.model_copy(update=changes)
    return compose_outputs(stack, state_dir=Path("/s"), secrets=Path("/p.age"), public_site=public_site)


def test_the_outputs_are_composed_from_the_settings_alone(project: Project):
    outputs = composed(project)
    assert (outputs.url, outputs.connect) == ("https://board.example", "203.0.113.1:443")
    assert outputs.uploads
    assert outputs.uploads.public_endpoint == "https://uploads.board.example"
    assert outputs.builds.endpoint == "https://10.0.0.4:7070"
    assert outputs.builds.tunnel == "data1"
    assert [host.name for host in outputs.by_role("web")] == ["web1", "web2"]
    web = outputs.host("web1")
    assert (web.address, web.ssh_host, web.ssh_port, web.ssh_user) == (
        "10.0.0.2", "203.0.113.2", 2222, "deploy",
    )  # fmt: skip


def test_a_site_certificate_of_its_own_is_judged_by_public_authorities_and_services_by_the_fleets(
    project: Project,
):
    assert composed(project).ca_file == composed(project).builds.ca_file == "/s/tls/ca.pem"
    own = composed(project, public_site=True)
    assert (own.ca_file, own.builds.ca_file) == ("", "/s/tls/ca.pem")


def test_what_a_stack_does_not_ask_for_is_not_in_its_outputs(project: Project):
    bare = composed(project, database="external", redis=False, uploads=False)
    assert (bare.database, bare.redis, bare.uploads) == (None, None, None)


def test_an_edge_may_be_public_elsewhere_than_where_ssh_goes(project: Project):
    behind = [server("edge1", "edge", 1, public="198.51.100.7"), *SERVERS[1:]]
    assert composed(project, servers=behind).connect == "198.51.100.7:443"


def test_opening_writes_what_ssh_and_tls_need_and_mends_what_is_stale(project: Project):
    outputs = open_outputs(project, SECRETS)
    files = [outputs.ssh_config_path, project.state_dir / "known_hosts", Path(outputs.ca_file)]
    written = [file.read_text() for file in files]
    assert "Port 2222" in written[0]
    assert "IdentityFile" not in written[0]
    for file in files:
        file.write_text("stale")
    open_outputs(project, SECRETS)
    assert [file.read_text() for file in files] == written


def test_a_kept_connection_ends_with_the_settings_it_was_made_by(project: Project):
    outputs = open_outputs(project, SECRETS)
    kept = control_folder(outputs.ssh_config_path) / "web1"
    kept.touch()
    open_outputs(project, SECRETS)
    assert kept.exists()
    moved = [SERVERS[0], server("web1", "web", 9), *SERVERS[2:]]
    object.__setattr__(project, "stack", project.stack.model_copy(update={"servers": moved}))
    open_outputs(project, SECRETS)
    assert not kept.exists()


def test_opening_needs_no_heavy_import():
    script = "import sys, slipway.platforms.servers.outputs; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert not {"cryptography", "pyinfra", "jinja2", "boto3"} & set(loaded.split())


def test_a_stack_that_was_never_up_says_so(project: Project):
    with pytest.raises(BadInput, match="prod is not up") as caught:
        open_outputs(project, {})
    assert "slipway up --stack prod" in caught.value.remedy


def test_an_ssh_key_given_as_text_is_laid_down_for_its_owner_only(tmp_path: Path):
    file = ssh_identity(tmp_path, {"SLIPWAY_SSH_KEY": SSH_KEY.replace("\n", "\r\n")})
    assert file
    assert file.read_text() == SSH_KEY + "\n"
    assert file.stat().st_mode & 0o777 == 0o600


def test_an_ssh_key_may_be_a_file_or_left_to_the_agent(tmp_path: Path):
    key = tmp_path / "key"
    key.touch()
    assert ssh_identity(tmp_path, {"SLIPWAY_SSH_KEY_FILE": str(key)}) == key
    assert ssh_identity(tmp_path, {}) is None
    with pytest.raises(BadInput, match="no ssh key /missing"):
        ssh_identity(tmp_path, {"SLIPWAY_SSH_KEY_FILE": "/missing"})
    with pytest.raises(BadInput) as caught:
        ssh_identity(tmp_path, {"SLIPWAY_SSH_KEY": "not a key at all"})
    assert "not a key at all" not in str(caught.value) + caught.value.remedy + os.sep

"""What load tests and the meter know of a live stack."""

from ipaddress import IPv4Network
from pathlib import Path

import pytest

from slipway.platforms.local.network import compose_outputs, lay_out
from slipway.secrets import age
from slipway.secrets.age_store import AgeStore, Identity
from slipway.settings import App, BadInput, Cloud, Project, Stack
from slipway.stack import LiveStack
from slipway.traffic.target import Target, target_of

APP = App.model_validate(
    {
        "name": "board",
        "runtime": {"name": "none"},
        "processes": {"web": {"command": "./serve"}},
        "env": {
            "SMOKE_USER": {"secret": True, "scope": ["smoke"]},
            "DATABASE_PASSWORD": {"secret": True, "scope": ["web"]},
        },
    }
)
SECRETS = {"SMOKE_USER": "ann", "DATABASE_PASSWORD": "not for clients", "SLIPWAY_LOAD_KEY": "k" * 48}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A local stack with secrets that was not brought up."""
    monkeypatch.setenv("SLIPWAY_AGE_KEY", age.new_key())
    stack = Stack(name="local", project="board", platform="local")
    store = AgeStore(tmp_path / "state/secrets.age", Identity.of_stack(stack))
    store.update(SECRETS)
    return Project(root=tmp_path, stack=stack, app=APP, app_dir=tmp_path, state_dir=tmp_path / "state")


@pytest.fixture
def live(project: Project) -> LiveStack:
    """The same stack with the outputs that `slipway up` writes."""
    hosts = lay_out(project.stack, IPv4Network("172.28.5.0/24"))
    keys = {host.name: "ssh-ed25519 AAAA" for host in hosts}
    outputs = compose_outputs(
        project.stack, hosts, keys, state_dir=project.state_dir, secrets=project.state_dir / "secrets.age"
    )
    (project.state_dir / "outputs.json").write_text(outputs.model_dump_json())
    return LiveStack(project)


def test_a_target_connects_to_the_published_port_and_trusts_the_fleets_authority(live: LiveStack):
    target = target_of(live)
    assert (target.stack, target.url, target.authority) == (
        "local",
        "https://localhost:8443",
        "localhost:8443",
    )
    assert target.address == ("127.0.0.1", 8443)
    assert target.ca_file == str(live.project.state_dir / "tls/ca.pem")


def test_it_holds_the_secrets_of_smoke_steps_and_no_other(live: LiveStack):
    target = target_of(live)
    assert target.values == {"SMOKE_USER": "ann"}
    assert target.load_key == SECRETS["SLIPWAY_LOAD_KEY"]
    assert "not for clients" not in target.model_dump_json()
    assert not [secret for secret in SECRETS.values() if secret in repr(target)]


def test_its_users_start_on_every_web_host_in_turn(live: LiveStack):
    target = target_of(live)
    assert [target.home(number) for number in range(3)] == ["web1", "web2", "web1"]


def test_behind_a_load_balancer_with_an_encrypted_cookie_they_start_anywhere(live: LiveStack):
    cloud = Cloud(region="us-east-1", account="1", groups={}, boot_secrets={}, key="", target_group="")
    outputs = live.outputs.model_copy(update={"cloud": cloud})
    (live.project.state_dir / "outputs.json").write_text(outputs.model_dump_json())
    target = target_of(LiveStack(live.project))
    assert (target.homes, target.home(1)) == ((), "")


def test_the_app_sees_which_client_it_is(live: LiveStack):
    assert target_of(live).headers["User-Agent"].startswith("slipway-load/")
    assert target_of(live, "meter").headers["User-Agent"].startswith("slipway-meter/")


def test_another_process_reads_the_same_target(live: LiveStack):
    target = target_of(live)
    assert Target.model_validate_json(target.model_dump_json()) == target


def test_a_stack_that_is_not_up_is_no_target(project: Project):
    with pytest.raises(BadInput, match="stack local is not up"):
        target_of(LiveStack(project))

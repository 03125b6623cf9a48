import json
import socket
from collections.abc import Generator
from contextlib import contextmanager
from ipaddress import IPv4Network
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from slipway.platforms.data_host import NAMES
from slipway.platforms.local.containers import Containers, spec_of
from slipway.platforms.local.docker import Docker
from slipway.platforms.local.keys import fleet_keys, host_key, operator_key
from slipway.platforms.local.network import Image, compose_outputs, is_free, lay_out, refuse_ports_in_use
from slipway.platforms.state_folder import only_one
from slipway.progress import Silent
from slipway.secrets.store import ensure_random
from slipway.settings import App, BadInput, LeaseHeld, LocalFleet, Outputs, Project, Stack
from tests.ports import local_fleet_ports
from tests.unit.platforms.local.conftest import Fake

NETWORK = IPv4Network("172.28.5.0/24")
IMAGES: dict[Image, str] = {"edge": "e", "web": "w", "worker": "k", "data": "d"}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    stack = Stack(name="local", project="board", platform="local")
    app = App.model_validate(
        {"name": "board", "runtime": {"name": "none"}, "processes": {"web": {"command": "./serve"}}}
    )
    return Project(
        root=tmp_path, stack=stack, app=app, app_dir=tmp_path, state_dir=tmp_path / ".slipway/local"
    )


def outputs_of(stack: Stack, state_dir: Path = Path("/p/.slipway/local")) -> Outputs:
    hosts = lay_out(stack, NETWORK)
    keys = {host.name: "ssh-ed25519 AAAA" for host in hosts}
    return compose_outputs(stack, hosts, keys, state_dir=state_dir, secrets=state_dir / "secrets.age")


def test_outputs_name_secrets_and_hold_none(project: Project):
    outputs = outputs_of(project.stack)
    assert outputs.database
    assert "${secret:PLATFORM_DATABASE_APP_PASSWORD}" in outputs.database.url
    assert outputs.url == "https://localhost:8443"
    assert outputs.connect == "127.0.0.1:8443"
    assert outputs.builds.tunnel == "data1"


def test_one_host_has_every_role_port_and_disk(project: Project):
    alone = project.stack.model_copy(update={"local": LocalFleet(one_host=True)})
    (host,) = lay_out(alone, NETWORK)
    apart = {each.name: each for each in lay_out(project.stack, NETWORK)}
    assert (host.name, host.image) == ("one", "one")
    assert host.published == apart["edge"].published
    assert host.disks == apart["data1"].disks
    outputs = outputs_of(alone)
    assert outputs.hosts[0].roles == ("edge", "web", "worker", "data")
    assert outputs.builds.tunnel == "one"
    assert outputs.url == outputs_of(project.stack).url


def test_what_a_stack_does_not_ask_for_is_not_in_its_outputs():
    bare = Stack(
        name="local", project="a-b", platform="local", database="external", redis=False, uploads=False,
        local=LocalFleet(https_port=443),
    )  # fmt: skip
    outputs = outputs_of(bare)
    assert (outputs.database, outputs.redis, outputs.uploads) == (None, None, None)
    assert outputs.url == "https://localhost"


def test_every_port_is_published_on_loopback_only(project: Project):
    edge = lay_out(project.stack, NETWORK)[0]
    arguments = spec_of(edge, "board-local", "image", labels={}, keys=("a", "b")).arguments
    published = [value for flag, value in pairwise(arguments) if flag == "--publish"]
    assert len(published) == 4
    assert all(value.startswith("127.0.0.1:") for value in published)


def test_a_container_is_made_anew_when_image_port_or_key_change_and_not_else(project: Project):
    edge, web1, *_ = lay_out(project.stack, NETWORK)
    digest = spec_of(edge, "f", "image", labels={}, keys=("a", "b")).digest
    assert digest == spec_of(edge, "f", "image", labels={}, keys=("a", "b")).digest
    others = [
        spec_of(edge, "f", "newer", labels={}, keys=("a", "b")),
        spec_of(edge, "f", "image", labels={}, keys=("a", "c")),
        spec_of(web1, "f", "image", labels={}, keys=("a", "b")),
    ]
    assert digest not in [other.digest for other in others]


def test_keys_are_made_once_and_private(tmp_path: Path):
    first = host_key(tmp_path, "web1")
    assert host_key(tmp_path, "web1") == first
    assert first.public.startswith("ssh-ed25519 ")
    assert first.path.stat().st_mode & 0o777 == 0o600
    assert operator_key(tmp_path).public != first.public


def test_platform_secrets_are_made_when_missing_and_never_rotated():
    class Memory:
        def __init__(self) -> None:
            self.values = {"PLATFORM_REDIS_PASSWORD": "kept"}

        def read(self) -> dict[str, str]:
            return dict(self.values)

        def update(self, values: dict[str, str]) -> None:
            self.values = {**self.values, **values}

    store: Any = Memory()
    first = ensure_random(store, NAMES)
    assert first["PLATFORM_REDIS_PASSWORD"] == "kept"
    assert first == ensure_random(store, NAMES) == store.values
    assert sorted(first) == sorted(NAMES)
    assert all(len(value) == 48 for value in first.values() if value != "kept")


def test_a_port_in_use_names_port_owner_and_setting(project: Project, fake: Fake):
    docker = Docker(str(fake("docker", "")))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        stack = project.stack.model_copy(update={"local": LocalFleet(https_port=port)})
        assert not is_free(port)
        with pytest.raises(BadInput) as caught:
            refuse_ports_in_use(docker, "local", lay_out(stack, NETWORK)[:1])
    said = "\n".join([caught.value.message, *caught.value.details])
    assert f"slipway:local https_port: port {port} is taken by" in said
    assert "https_port" in caught.value.remedy or "ssh_port" in caught.value.remedy


def test_two_ups_at_once_the_second_is_told_who_runs(project: Project):
    with only_one(project), pytest.raises(LeaseHeld, match=r"pid \d+"), only_one(project):
        pass
    with only_one(project):
        pass


@contextmanager
def recorded(fake: Fake, tmp_path: Path, script: str) -> Generator[tuple[Docker, Path]]:
    log = tmp_path / "docker.log"
    yield Docker(str(fake("docker", f'echo "$@" >> {log}\n{script}'))), log


def test_a_start_that_fails_leaves_no_half_made_container(project: Project, fake: Fake, tmp_path: Path):
    free = project.stack.model_copy(update={"local": LocalFleet.model_validate(local_fleet_ports())})
    script = '[ "$1" = cp ] && cat > /dev/null\n[ "$1" = start ] && exit 1\nexit 0'
    with recorded(fake, tmp_path, script) as (docker, log), pytest.raises(Exception, match="docker start"):
        hosts = lay_out(free, NETWORK)
        keys = fleet_keys(project.state_dir, [host.name for host in hosts])
        Containers(docker, project).ensure(hosts, IMAGES, keys, Silent())
    lines = log.read_text().splitlines()
    removed = next(line for line in lines if line.startswith("rm "))
    assert all(f"board-local-{host}" in removed for host in ("edge", "web1", "web2", "worker1", "data1"))


def test_a_fleet_that_is_as_it_should_be_is_left_alone(project: Project, fake: Fake, tmp_path: Path):
    hosts = lay_out(project.stack, NETWORK)
    keys = fleet_keys(project.state_dir, [host.name for host in hosts])
    labels = {"slipway.fleet": "board-local", "slipway.root": str(tmp_path.resolve())}
    entries: list[dict[str, Any]] = []
    for host in hosts:
        public = (keys.hosts[host.name].public, keys.operator.public)
        spec = spec_of(host, "board-local", IMAGES[host.image], labels=labels, keys=public)
        entries.append({
            "Config": {"Labels": {**labels, "slipway.host": host.name, "slipway.spec": spec.digest}},
            "NetworkSettings": {"Networks": {"board-local": {"IPAddress": host.address}}},
            "State": {"Status": "running", "StartedAt": "2026-01-01T00:00:00Z"},
        })  # fmt: skip
    answer = f"case $1 in ps) echo abc;; container) echo '{json.dumps(entries)}';; esac"
    with recorded(fake, tmp_path, answer) as (docker, log):
        assert Containers(docker, project).ensure(hosts, IMAGES, keys, Silent()) == set()
    assert [line.split()[0] for line in log.read_text().splitlines()] == ["ps", "container"]


def test_a_fleet_of_another_folder_is_refused(project: Project, fake: Fake, tmp_path: Path):
    entry: dict[str, Any] = {
        "Config": {"Labels": {"slipway.host": "edge", "slipway.root": "/", "slipway.spec": "x"}},
        "NetworkSettings": {"Networks": {}},
        "State": {"Status": "running", "StartedAt": "2026-01-01T00:00:00Z"},
    }
    answer = f"case $1 in ps) echo abc;; container) echo '{json.dumps([entry])}';; esac"
    with recorded(fake, tmp_path, answer) as (docker, _):
        fleet = Containers(docker, project)
        with pytest.raises(BadInput, match="belongs to /"):
            fleet.refuse_foreign(fleet.states(), gone_too=False)

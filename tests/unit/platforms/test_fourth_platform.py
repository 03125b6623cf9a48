"""The interface is one: a fourth platform is added in a few lines, and a stack on it works."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import pytest

from slipway.doctor import diagnose
from slipway.platforms import platform
from slipway.platforms.platform import (
    Diagnosis,
    Examination,
    Opened,
    Platform,
    other_secrets,
    platform_of,
    warn,
)
from slipway.platforms.state_folder import setup_digests
from slipway.progress import Progress, Silent
from slipway.secrets.store import SecretStore
from slipway.settings import (
    App,
    BadInput,
    Bucket,
    Host,
    Outputs,
    Project,
    SecretStore as StoreOutput,
    Stack,
    platform_facts,
)
from slipway.settings.platform_facts import PlatformFacts
from slipway.stack import LiveStack
from tests.unit.platforms.servers.conftest import Memory

HOSTS = {"web-a": "10.1.0.1", "web-b": "10.1.0.2"}


class Listed(Platform):
    """Hosts out of a table, as a cloud's inventory might list them."""

    hosts_come_and_go = True

    def bring_up(self, progress: Progress, *, break_lock: str = "") -> Outputs:
        self._refuse_break_lock(break_lock)
        return self.open().outputs

    def open(self) -> Opened:
        builds = Bucket(bucket="builds", endpoint="http://127.0.0.1:9", access_key="a", secret_key_secret="K")
        hosts = [Host(name=name, roles=("web",), address=at, ssh_host=at) for name, at in HOSTS.items()]
        made = Outputs(
            stack=self.project.stack.name,
            platform="servers",
            url="http://listed.example",
            hosts=hosts,
            builds=builds,
            secrets=StoreOutput(kind="age", location="nowhere"),
        )
        return Opened(made.model_copy(update={"platform": "listed"}), {"web-c": "still starting"})

    def rediscover(self, outputs: Outputs) -> Opened:
        return Opened(outputs.model_copy(update={"hosts": outputs.hosts[:1]}))

    def secret_store(self) -> SecretStore:
        return Memory(K="a builds bucket's key", TOKEN="not the app's")

    def shared_secrets(self) -> NoReturn:
        self._refuse("members are listed elsewhere")

    def setup_digests(self, outputs: Outputs, secrets: Mapping[str, str]) -> dict[str, str]:
        return {host.name: f"{host.address} {secrets['TOKEN']}" for host in outputs.hosts}

    def renewal(self, outputs: Outputs) -> str:
        return "ask the inventory"

    def examinations(self) -> tuple[Examination, ...]:
        return (self.inventory,)

    def inventory(self) -> list[Diagnosis]:
        return [warn("the inventory is a table", "use a real one")]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setitem(platform.CLASSES, "listed", f"{__name__}:{Listed.__name__}")
    facts = {**platform_facts.PLATFORMS, "listed": PlatformFacts(sections=())}
    monkeypatch.setattr(platform_facts, "PLATFORMS", facts)
    (tmp_path / "Pulumi.yaml").write_text("name: board\nruntime: python\n")
    (tmp_path / "state").mkdir()
    app = App.model_validate(
        {"name": "board", "runtime": {"name": "none"}, "processes": {"web": {"command": "./serve"}}}
    )
    stack = Stack(name="trial", project="board", platform="local").model_copy(update={"platform": "listed"})
    return Project(root=tmp_path, stack=stack, app=app, app_dir=tmp_path, state_dir=tmp_path / "state")


def test_a_stack_on_it_is_opened_with_its_hosts_secrets_and_bucket(project: Project):
    live = LiveStack(project)
    assert [host.name for host in live.fleet.hosts] == ["web-a", "web-b"]
    assert live.absent == {"web-c": "still starting"}
    assert live.secret("TOKEN") == "not the app's"
    assert "not the app's" not in live.redact("it is not the app's token")
    assert live.bucket.name == "builds"
    assert live.plain_address == ("listed.example", 80)
    assert live.write_boot_documents is not None
    live.fleet.refresh()
    assert [host.name for host in live.fleet.hosts] == ["web-a"]


def test_a_release_knows_its_set_up(project: Project):
    live = LiveStack(project)
    digests = setup_digests(project, live.outputs, live.secrets)
    assert digests == {"web-a": "10.1.0.1 not the app's", "web-b": "10.1.0.2 not the app's"}


def test_the_doctor_examines_what_it_wants_and_sees_who_is_absent(project: Project):
    found = {each.what: each.level for each in diagnose(project)}
    assert found["the inventory is a table"] == "warn"
    assert found["web-c is still starting"] == "warn"


def test_what_it_does_not_have_is_refused_with_its_name(project: Project):
    where = platform_of(project)
    for refused in (
        lambda: where.take_down(Silent(), volumes=False),
        lambda: where.drift(Silent()),
        lambda: where.bring_up(Silent(), break_lock="root@ci:1"),
        where.shared_secrets,
    ):
        with pytest.raises(BadInput, match="trial is on platform listed"):
            refused()


def test_its_secrets_are_compared_with_other_stacks(project: Project):
    (project.root / "Pulumi.trial.yaml").write_text("config:\n  slipway:platform: nowhere\n")
    assert other_secrets(project) == {}

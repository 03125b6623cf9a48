"""What a stack's state folder keeps between commands."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from hosts.inventory.parts import Inventory
from slipway.platforms.local.platform import LocalPlatform
from slipway.platforms.state_folder import setup_digests
from slipway.settings import App, Bucket, Outputs, Project, Stack
from slipway.settings.outputs import SecretStore

OUTPUTS = Outputs(
    stack="local",
    platform="local",
    url="https://localhost",
    builds=Bucket(bucket="builds"),
    secrets=SecretStore(kind="age", location="nowhere"),
)
SECRETS = {"SLIPWAY_LOAD_KEY": "a"}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "tls").mkdir()
    (tmp_path / "tls/ca.pem").write_text("first")
    app = App.model_validate(
        {"name": "board", "runtime": {"name": "none"}, "processes": {"web": {"command": "./serve"}}}
    )
    stack = Stack(name="local", project="board", platform="local")
    return Project(root=tmp_path, stack=stack, app=app, app_dir=tmp_path, state_dir=tmp_path)


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows by one with every time that digests are computed; each time they are others."""
    times: list[str] = []

    def compute(
        _: LocalPlatform, outputs: Outputs, secrets: Mapping[str, str]
    ) -> tuple[dict[str, str], dict[str, Inventory]]:
        del outputs, secrets
        times.append(f"digest {len(times) + 1}")
        return {"web1": times[-1]}, {}

    monkeypatch.setattr(LocalPlatform, "set_ups", compute)
    return times


def test_digests_are_computed_once_for_the_same_inputs(project: Project, computed: list[str]):
    first = setup_digests(project, OUTPUTS, SECRETS)
    assert first == setup_digests(project, OUTPUTS, SECRETS) == {"web1": "digest 1"}
    assert computed == ["digest 1"]


def test_a_changed_setting_secret_output_or_certificate_computes_them_again(
    project: Project, computed: list[str]
):
    setup_digests(project, OUTPUTS, SECRETS)
    assert setup_digests(project, OUTPUTS, {"SLIPWAY_LOAD_KEY": "b"}) == {"web1": "digest 2"}
    assert setup_digests(project, OUTPUTS.model_copy(update={"url": "https://other"}), SECRETS) == {
        "web1": "digest 3"
    }
    (project.state_dir / "tls/ca.pem").write_text("a longer second")
    assert setup_digests(project, OUTPUTS, SECRETS) == {"web1": "digest 4"}
    object.__setattr__(project, "stack", project.stack.model_copy(update={"redis": False}))
    assert setup_digests(project, OUTPUTS, SECRETS) == {"web1": "digest 5"}
    assert len(computed) == 5


def test_damaged_digests_are_computed_again(project: Project, computed: list[str]):
    setup_digests(project, OUTPUTS, SECRETS)
    (project.state_dir / "setup_digests.json").write_text("{")
    assert setup_digests(project, OUTPUTS, SECRETS) == {"web1": "digest 2"}
    assert len(computed) == 2

from __future__ import annotations

from pathlib import Path

import pytest

from slipway.settings import load_app, load_stack, open_project, stack_names
from slipway.settings.violations import InvalidSettings
from tests.unit.settings.conftest import SMALL

REPOSITORY = Path(__file__).parents[3]


def refused(project: Path, app: str, settings: str = "") -> str:
    (project / "app" / "slipway.toml").write_text(SMALL + app)
    (project / "Pulumi.local.yaml").write_text(
        f"config:\n  slipway:platform: local\n  slipway:app: app\n{settings}"
    )
    with pytest.raises(InvalidSettings) as error:
        open_project("local")
    return str(error.value)


def test_a_project_knows_where_everything_lies(project: Path):
    opened = open_project("local", project / "app")
    assert opened.root == project
    assert opened.toml == project / "app" / "slipway.toml"
    assert opened.state_dir == project / ".slipway" / "local"
    assert opened.fleet_id == "board-local"


def test_an_output_that_the_stack_does_not_have_is_refused_with_the_reason(project: Path):
    env = "[env]\nDB = { from = 'database.url' }\n"
    assert refused(project, env, "  slipway:database: none\n") == (
        'app/slipway.toml:7 env.DB.from: "database.url" is not available: '
        "stack local has no database (slipway:database is none)"
    )
    assert "a database of your own" in refused(project, env, "  slipway:database: external\n")
    assert "no Redis" in refused(project, "[env]\nR = { from = 'redis.url' }\n", "  slipway:redis: false\n")
    uploads = "[env]\nU = { from = 'uploads.bucket' }\n"
    assert "no uploads bucket" in refused(project, uploads, "  slipway:uploads: false\n")


def test_an_optional_output_may_be_absent(project: Path):
    (project / "app" / "slipway.toml").write_text(
        SMALL + "[env]\nR = { from = 'redis.url', optional = true }\n"
    )
    with (project / "Pulumi.local.yaml").open("a") as file:
        file.write("  slipway:redis: false\n")
    assert open_project("local").stack.redis is False


def test_a_worker_process_needs_a_worker_host(project: Path):
    worker = "[processes.jobs]\ncommand = 'x'\n"
    assert "processes.jobs: runs on worker hosts, and stack local has none" in refused(
        project, worker, "  slipway:local: {worker: 0}\n"
    )


def test_a_stack_overrides_only_plain_settings_of_the_contract(project: Path):
    env = "[env]\nDEMO = { value = 'a' }\nKEY = { secret = true }\nDB = { from = 'database.url' }\n"
    message = refused(project, env, "  slipway:env:\n    DEM: b\n    KEY: s3cr3t\n    DB: x\n")
    assert "Pulumi.local.yaml:5 slipway:env.DEM: is not in the app's env contract" in message
    assert 'did you mean "DEMO"?' in message
    assert "Pulumi.local.yaml:6 slipway:env.KEY: is a secret" in message
    assert "Pulumi.local.yaml:7 slipway:env.DB: comes from the stack's outputs" in message
    assert "s3cr3t" not in message


def test_an_override_has_the_form_of_its_entry(project: Path):
    env = "[env]\nRETRIES = { value = '3', kind = 'integer' }\n"
    assert "Pulumi.local.yaml:5 slipway:env.RETRIES: must be a whole number" in refused(
        project, env, "  slipway:env:\n    RETRIES: many\n"
    )


def test_the_stacks_of_this_repository_are_right():
    assert stack_names(REPOSITORY) == ["local", "preview", "previews", "prod", "small"]
    for name in stack_names(REPOSITORY):
        load_stack(REPOSITORY, name)


@pytest.mark.parametrize(
    "toml", sorted(REPOSITORY.glob("examples/*/slipway.toml")), ids=lambda path: path.parent.name
)
def test_the_example_apps_are_right(toml: Path):
    load_app(toml)

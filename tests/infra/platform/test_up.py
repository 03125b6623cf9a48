"""`slipway up` of a stack whose instances have started: against moto's server, over a real ssh."""

import io
import json
import shutil
import tarfile
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from hosts.agent.signature import KIT
from hosts.kit.archive import statement
from slipway.fleet.fleet import Fleet, FleetError
from slipway.platforms.aws import kits, open as discovery
from slipway.platforms.aws.kits import bring_in_line, fleet_plan, setup_digests
from slipway.platforms.aws.open import open_outputs
from slipway.platforms.aws.up import refuse_unkept_zones
from slipway.platforms.platform import platform_of
from slipway.progress import Silent
from slipway.secrets.ssh_signature import make_key, public_of, verifies
from slipway.settings import BadInput, NeedsPerson, Outputs
from tests.infra.platform.way import Way
from tests.infra.platform.world import World
from tests.kits import kit_with

REAL_RUN = kits.RUN


class Heard(Silent):
    """What a person was told."""

    def __init__(self) -> None:
        self.phases: list[str] = []
        self.told: list[str] = []

    @contextmanager
    def phase(self, name: str, text: str = ""):
        self.phases.append(name)
        yield

    def host(self, host: str, text: str) -> None:
        self.told.append(f"{host}: {text}")

    def line(self, text: str) -> None:
        self.told.append(text)


@pytest.fixture
def outputs(world: World, way: Way, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Outputs:
    """Provisioned; ssh leads to this machine, where a kit is noted and not run."""
    made = world.provision()
    way.fake.parameters[world.names.outputs_parameter] = made.model_dump_json()
    monkeypatch.setattr(discovery, "USER", way.server.host().ssh_user)
    monkeypatch.setattr(kits, "SETUP_DIGEST", str(tmp_path / "setup.digest"))
    monkeypatch.setattr(kits, "RUN", f"cat > {tmp_path}/kit.tar.gz; echo running")
    authority = trustme.CA().cert_pem.bytes()

    def fetch(url: str) -> bytes:
        assert url.startswith("https://truststore.pki.rds.amazonaws.com/")
        return authority

    monkeypatch.setattr(kits, "_fetch", fetch)
    monkeypatch.setattr(kits, "build_all", lambda: {"x86_64-3.11": b"wheels"})
    monkeypatch.setattr("shutil.which", _without("pulumi"))
    way.ends(world.project.state_dir / "ssh_config")
    return made


def _without(missing: str) -> Callable[[str], str | None]:
    which = shutil.which
    return lambda name: None if name == missing else which(name)


def launch(world: World, way: Way, role: str = "web") -> str:
    (instance,) = world.launch(role, 1, publish=False)
    world.publish(role, instance, way.server.host_key)
    return instance


def test_without_zones_of_its_own_nothing_is_made(world: World):
    with pytest.raises(BadInput, match="names no zones") as refused:
        refuse_unkept_zones(world.project.stack)
    assert refused.value.remedy.startswith("slipway bootstrap --stack prod")


def test_hosts_that_started_are_brought_in_line_and_new_ones_find_their_kit(
    world: World, way: Way, outputs: Outputs, tmp_path: Path
):
    instance = launch(world, way)
    heard = Heard()
    (host,) = platform_of(world.project).bring_up(heard).hosts
    assert host.ssh_host == instance
    assert heard.phases == ["account", "provision", "secrets", "kits", "hosts", "set up", "data", "health"]
    assert f"{host.name}: setting up" in heard.told
    assert "nothing is live yet: slipway release --stack prod" in heard.told
    assert any("provisioning is skipped" in line for line in heard.told)
    held = world.secret(world.names.app_secret)
    assert sorted(held) == [
        "PLATFORM_DATABASE_APP_PASSWORD",
        "PLATFORM_DATABASE_OWNER_PASSWORD",
        "PLATFORM_REDIS_PASSWORD",
        "SLIPWAY_LOAD_KEY",
    ]
    bucket, s3 = world.names.bucket("builds"), world.client("s3")
    index = json.loads(s3.get_object(Bucket=bucket, Key="setup/python.json")["Body"].read())
    packages = index["archives"]["x86_64-3.11"]["key"]
    assert s3.get_object(Bucket=bucket, Key=packages)["Body"].read() == b"wheels"
    pointer = json.loads(s3.get_object(Bucket=bucket, Key="setup/web.json")["Body"].read())
    kit = s3.get_object(Bucket=bucket, Key=pointer["key"])["Body"].read()
    assert kit == (tmp_path / "kit.tar.gz").read_bytes()
    with tarfile.open(fileobj=io.BytesIO(kit)) as packed:
        assert "setup.py" in packed.getnames()
    trusted = json.loads(way.fake.parameters[world.names.setup_parameter])
    assert trusted["oldest"]["web"] == pointer["made"]
    assert verifies(
        statement(world.names.fleet, "web", pointer["sha256"], pointer["made"]), pointer["signature"],
        signer=pointer["signer"], allowed_signers=trusted["signers"], namespace=KIT,
    )  # fmt: skip
    for value in held.values():
        assert value not in "\n".join(heard.told)


def test_up_again_leaves_alone_what_is_as_it_should_be(
    world: World, way: Way, outputs: Outputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    launch(world, way)
    (host,) = platform_of(world.project).bring_up(Heard()).hosts
    secrets = world.secret(world.names.app_secret)
    opened = open_outputs(world.project).outputs
    (tmp_path / "setup.digest").write_text(setup_digests(world.project, opened, secrets)[host.name])
    (tmp_path / "kit.tar.gz").unlink()
    monkeypatch.setattr(kits, "build_all", lambda: pytest.fail("the packages are in the bucket"))
    # Nothing is to be signed, so whoever may not sign can run it.
    monkeypatch.setenv("SLIPWAY_SIGNING_KEY_FILE", str(tmp_path / "none"))
    heard = Heard()
    platform_of(world.project).bring_up(heard)
    assert f"{host.name}: set up already" in heard.told
    assert not (tmp_path / "kit.tar.gz").exists()
    assert world.secret(world.names.app_secret) == secrets


@pytest.mark.parametrize(
    "replaced", ["setup/web.json", "its date", "its key", "setup/python.json", "the kit"]
)
def test_what_a_thief_of_the_writer_key_puts_there_is_replaced_by_up_and_signed_by_no_one(
    world: World, way: Way, outputs: Outputs, tmp_path: Path, replaced: str
):
    launch(world, way)
    platform_of(world.project).bring_up(Silent())
    bucket, s3 = world.names.bucket("builds"), world.client("s3")

    def content(key: str) -> bytes:
        return s3.get_object(Bucket=bucket, Key=key)["Body"].read()

    pointer = json.loads(content("setup/web.json"))
    before = {key: content(key) for key in ("setup/web.json", "setup/python.json", pointer["key"])}
    key = {"the kit": pointer["key"], "setup/python.json": replaced}.get(replaced, "setup/web.json")
    python = json.loads(before["setup/python.json"])
    python["archives"]["x86_64-3.11"]["sha256"] = "0" * 64
    forged = {
        "setup/web.json": b"[]",
        "its date": json.dumps({**pointer, "made": "tomorrow"}).encode(),
        "its key": json.dumps({**pointer, "key": "setup/elsewhere"}).encode(),
        "setup/python.json": json.dumps(python).encode(),
        "the kit": kit_with("print('stolen')"),
    }
    s3.put_object(Bucket=bucket, Key=key, Body=forged[replaced])
    platform_of(world.project).bring_up(Silent())
    pointer = json.loads(content("setup/web.json"))
    assert content(pointer["key"]) == before[pointer["key"]] == (tmp_path / "kit.tar.gz").read_bytes()
    index = json.loads(content("setup/python.json"))
    assert index["archives"] == json.loads(before["setup/python.json"])["archives"]


def test_kits_are_signed_again_once_their_signer_may_sign_no_more(
    world: World, way: Way, outputs: Outputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    launch(world, way)
    platform_of(world.project).bring_up(Silent())
    make_key(tmp_path / "new", "")
    monkeypatch.setenv("SLIPWAY_SIGNING_KEY_FILE", str(tmp_path / "new"))
    (tmp_path / "signers/prod").write_text(f"bo@example.com {public_of(tmp_path / 'new')}\n")
    before = json.loads(way.fake.parameters[world.names.setup_parameter])
    platform_of(world.project).bring_up(Silent())
    s3, bucket = world.client("s3"), world.names.bucket("builds")
    pointer = json.loads(s3.get_object(Bucket=bucket, Key="setup/web.json")["Body"].read())
    after = json.loads(way.fake.parameters[world.names.setup_parameter])
    assert pointer["signer"] == "bo@example.com"
    assert after["oldest"]["web"] == pointer["made"] > before["oldest"]["web"]
    assert "bo@example.com" in after["signers"] and "ana@example.com" not in after["signers"]


def test_a_wrong_account_is_refused_before_anything_is_touched(world: World, way: Way, outputs: Outputs):
    stack = world.project.stack
    assert stack.aws
    other = stack.model_copy(update={"aws": stack.aws.model_copy(update={"account": "210987654321"})})
    object.__setattr__(world.project, "stack", other)
    heard = Heard()
    with pytest.raises(BadInput, match="may only be in account 210987654321"):
        platform_of(world.project).bring_up(heard)
    assert heard.phases == ["account"]
    assert way.fake.heard == []


def test_without_pulumi_and_outputs_there_is_nothing_to_work_with(world: World, way: Way, outputs: Outputs):
    del way.fake.parameters[world.names.outputs_parameter]
    with pytest.raises(BadInput, match="the pulumi CLI is not on PATH") as caught:
        platform_of(world.project).bring_up(Silent())
    assert "pulumi" in caught.value.remedy
    keys = world.client("s3").list_objects_v2(Bucket=world.names.bucket("builds")).get("Contents", [])
    assert keys == []


def test_a_host_that_never_publishes_its_key_is_told_to_a_person(
    world: World, way: Way, outputs: Outputs, monkeypatch: pytest.MonkeyPatch
):
    (late,) = world.launch("web", 1, publish=False)
    monkeypatch.setattr("slipway.platforms.aws.up.ARRIVAL_SECONDS", 0.5)
    monkeypatch.setattr("slipway.platforms.aws.up.ARRIVAL_POLL_SECONDS", 0.1)
    with pytest.raises(NeedsPerson, match=f"web-{late[-8:]} did not become ready") as caught:
        platform_of(world.project).bring_up(Silent())
    assert "has not published its ssh host key" in caught.value.details[0]


def test_a_kit_is_gone_when_it_has_run_and_one_that_fails_is_told_with_its_last_words(
    world: World, way: Way, outputs: Outputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    launch(world, way)
    opened = platform_of(world.project).bring_up(Silent())
    monkeypatch.setattr(kits, "RUN", REAL_RUN)
    secrets = world.secret(world.names.app_secret)
    plan = fleet_plan(world.project, opened, secrets, world.project.state_dir / "tls/ca.pem")
    where = tmp_path / "where"
    good = f"import os, pathlib\npathlib.Path({str(where)!r}).write_text(os.path.dirname(__file__))"
    bring_in_line(plan, {"web": kit_with(good)}, Fleet(opened), Silent())
    assert where.read_text().startswith("/tmp/")
    assert not Path(where.read_text()).exists()
    heard = Heard()
    bad = "import sys\nprint('step one', flush=True)\nsys.exit('no such package')"
    with pytest.raises(FleetError) as caught:
        bring_in_line(plan, {"web": kit_with(bad)}, Fleet(opened), heard)
    assert "no such package" in caught.value.message
    assert any(line.endswith(": step one") for line in heard.told)


def test_an_examples_values_are_refused_before_anything_is_asked_or_made(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    def asked(*_: object) -> None:
        pytest.fail("AWS was asked")

    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    monkeypatch.setattr("slipway.platforms.aws.up.check_account", asked)
    aws = world.project.stack.aws
    assert aws
    alerts = aws.alerts.model_copy(update={"emails": ["ops@example.com", "me@acme.dev"]})
    stack = world.project.stack.model_copy(update={"aws": aws.model_copy(update={"alerts": alerts})})
    heard = Heard()
    with pytest.raises(BadInput, match="example's values") as refused:
        platform_of(replace(world.project, stack=stack)).bring_up(heard)
    told = "\n".join(refused.value.details)
    assert 'slipway:aws.account: "123456789012"' in told
    assert 'slipway:domain: "board.example"' in told
    assert 'slipway:aws.alerts.emails[0]: "ops@example.com"' in told
    assert "me@acme.dev" not in told
    assert heard.phases == ["account"]

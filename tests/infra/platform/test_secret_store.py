import json
from typing import Any

import pytest

from slipway.platforms.aws.open import cloud_of
from slipway.platforms.aws.secrets_manager import MAX_BYTES, AwsStore, Held, write_boot_documents
from slipway.platforms.aws.session import session_of
from slipway.platforms.platform import platform_of
from slipway.settings import BadInput, SlipwayError
from slipway.storage.lease import LeaseLost
from tests.infra.platform.world import World


@pytest.fixture
def store(world: World) -> AwsStore:
    world.provision()
    opened = platform_of(world.project).secret_store()
    assert isinstance(opened, AwsStore)
    return opened


def labels(world: World) -> dict[str, list[str]]:
    found = world.client("secretsmanager").describe_secret(SecretId=world.names.app_secret)
    return {label: version for version, names in found["VersionIdsToStages"].items() for label in names}


def test_a_new_stack_has_no_secrets(store: AwsStore):
    assert store.read() == {}
    assert store.names() == []


def test_what_is_set_is_one_json_object_that_aws_own_client_reads(store: AwsStore, world: World):
    store.set("B", "two")
    store.update({"A": "o'ne\n\u00e4", "C": "3"})
    store.unset("C")
    assert world.secret(world.names.app_secret) == {"A": "o'ne\n\u00e4", "B": "two"} == store.read()
    assert store.names() == ["A", "B"]


def test_what_is_the_same_is_not_written_again(store: AwsStore, world: World):
    store.set("A", "1")
    store.set("A", "2")
    before = labels(world)
    store.set("A", "2")
    assert labels(world) == before


def test_a_change_by_another_in_between_is_kept(
    store: AwsStore, world: World, monkeypatch: pytest.MonkeyPatch
):
    store.set("FIRST", "1")
    other = AwsStore(session_of(world.project), world.names.app_secret, "prod")
    read, meanwhile = store._read, iter([True, True])  # pyright: ignore[reportPrivateUsage]

    def slow() -> Held:
        held = read()
        if next(meanwhile, False):
            other.set(f"OTHER_{len(held.values)}", "theirs")
        return held

    monkeypatch.setattr(store, "_read", slow)
    store.set("MINE", "mine")
    assert store.names() == ["FIRST", "MINE", "OTHER_1", "OTHER_2"]


def test_two_who_write_the_first_value_at_once_both_keep_theirs(
    store: AwsStore, world: World, monkeypatch: pytest.MonkeyPatch
):
    other = AwsStore(session_of(world.project), world.names.app_secret, "prod")
    read = store._read  # pyright: ignore[reportPrivateUsage]

    def slow() -> Held:
        held = read()
        other.set("THEIRS", "t")
        return held

    monkeypatch.setattr(store, "_read", slow)
    store.set("MINE", "m")
    assert other.read() == {"MINE": "m", "THEIRS": "t"}


def test_who_never_comes_first_gives_up_with_a_word(store: AwsStore, monkeypatch: pytest.MonkeyPatch):
    store.set("A", "1")
    monkeypatch.setattr(
        store, "_read", lambda: Held({"A": "0"}, "a version that is not the current one" + "x" * 9)
    )
    with pytest.raises(SlipwayError, match="was changed by others 5 times") as caught:
        store.set("B", "a value to be hidden")
    assert "hidden" not in f"{caught.value.message}{caught.value.remedy}{caught.value.details}"


def test_a_missing_entry_cannot_be_unset(store: AwsStore):
    with pytest.raises(BadInput, match="there is no secret X"):
        store.unset("X")


@pytest.mark.parametrize(("name", "value"), [("lower", "x"), ("A", ""), ("A", "a\0b"), ("A", "\ufdd0")])
def test_what_can_be_no_variable_is_refused_before_aws_is_asked(store: AwsStore, name: str, value: str):
    with pytest.raises(BadInput):
        store.set(name, value)
    assert store.read() == {}


def test_more_than_aws_takes_is_refused_without_a_word_of_it(store: AwsStore):
    with pytest.raises(BadInput, match=f"takes {MAX_BYTES}") as caught:
        store.set("BIG", "hide-me" * 10_000)
    assert "hide-me" not in caught.value.message
    assert store.read() == {}


def test_a_secret_that_is_not_there_or_marked_for_deletion_is_told(world: World):
    store = platform_of(world.project).secret_store()
    with pytest.raises(BadInput, match="has no secret slipway/board/prod/app in us-east-1") as caught:
        store.read()
    assert "slipway up --stack prod" in caught.value.remedy
    world.provision()
    store.set("A", "1")
    world.client("secretsmanager").delete_secret(SecretId=world.names.app_secret)
    with pytest.raises(BadInput, match="marked for deletion") as caught:
        store.read()
    assert "restore-secret" in caught.value.remedy


@pytest.mark.parametrize("content", ["no json with hunter2", '["hunter2"]', '{"A": {"b": "hunter2"}}'])
def test_content_that_slipway_did_not_write_is_refused_without_a_word_of_it(
    store: AwsStore, world: World, content: str
):
    world.client("secretsmanager").put_secret_value(SecretId=world.names.app_secret, SecretString=content)
    with pytest.raises(BadInput, match="does not hold one JSON object") as caught:
        store.read()
    assert "hunter2" not in f"{caught.value.message}{caught.value.remedy}{caught.value.__cause__}"
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_boot_secrets_are_replaced_by_role_and_the_old_stay_when_one_is_too_large(world: World):
    cloud = cloud_of(world.provision())
    session = session_of(world.project)
    write_boot_documents(
        session, cloud, {"web": json.dumps({"release": 1}), "worker": json.dumps({"release": 1})}, (1, 0)
    )
    write_boot_documents(session, cloud, {"web": json.dumps({"release": 2})}, (2, 0))
    assert world.secret(world.names.boot_secret("web")) == {"release": 2}
    assert world.secret(world.names.boot_secret("worker")) == {"release": 1}
    with pytest.raises(BadInput, match="boot document of role worker has 65537 bytes"):
        write_boot_documents(session, cloud, {"web": "{}", "worker": "x" * 65_537}, (3, 0))
    assert world.secret(world.names.boot_secret("web")) == {"release": 2}


def test_a_holder_that_lost_its_lease_overwrites_no_boot_document(world: World):
    """However late its request arrives: the write itself depends on the fence."""
    cloud = cloud_of(world.provision())
    session = session_of(world.project)
    write_boot_documents(session, cloud, {"web": json.dumps({"release": 3})}, (9, 4))
    for late in ((8, 7), (9, 3)):
        with pytest.raises(LeaseLost, match="fence 9"):
            write_boot_documents(session, cloud, {"web": json.dumps({"release": 1})}, late)
    assert world.secret(world.names.boot_secret("web")) == {"release": 3}
    write_boot_documents(session, cloud, {"web": json.dumps({"release": 4})}, (9, 4))
    assert world.secret(world.names.boot_secret("web")) == {"release": 4}


def test_a_newer_command_in_between_keeps_its_boot_document(world: World, monkeypatch: pytest.MonkeyPatch):
    cloud = cloud_of(world.provision())
    session = session_of(world.project)
    call, once = session.call, iter([True])

    def slow(service: str, operation: str, **given: Any) -> Any:
        answer = call(service, operation, **given)
        if operation == "describe_secret" and next(once, False):
            write_boot_documents(session, cloud, {"web": json.dumps({"release": 3})}, (9, 0))
        return answer

    monkeypatch.setattr(session, "call", slow)
    with pytest.raises(LeaseLost):
        write_boot_documents(session, cloud, {"web": json.dumps({"release": 1})}, (8, 0))
    assert world.secret(world.names.boot_secret("web")) == {"release": 3}

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from slipway.secrets import age
from slipway.secrets.age_store import AgeStore, Identity
from slipway.settings import BadInput, Stack


@pytest.fixture
def store(tmp_path: Path) -> AgeStore:
    return AgeStore(tmp_path / "secrets" / "prod.age", Identity.at(tmp_path / "key"))


def test_what_is_set_can_be_read_again_and_stands_nowhere_in_the_file(store: AgeStore):
    store.set("JWT_SECRET", "correct horse")
    store.update({"PEM": "two\nlines", "UMLAUT": "schlüssel"})
    assert store.read() == {"JWT_SECRET": "correct horse", "PEM": "two\nlines", "UMLAUT": "schlüssel"}
    assert store.names() == ["JWT_SECRET", "PEM", "UMLAUT"]
    text = store.path.read_text()
    assert text.startswith("-----BEGIN AGE ENCRYPTED FILE-----")
    assert "JWT_SECRET" not in text


def test_a_store_that_was_never_written_is_empty_and_needs_no_key(store: AgeStore):
    assert store.read() == {}
    assert not store.path.exists()


def test_the_first_write_makes_a_key_and_files_for_the_owner_alone(store: AgeStore, tmp_path: Path):
    store.set("A", "value")
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert store.path.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in store.path.parent.iterdir()) == ["prod.age"]


def test_unset_removes_one_and_refuses_what_is_not_there(store: AgeStore):
    store.update({"A": "1", "B": "2"})
    store.unset("A")
    assert store.read() == {"B": "2"}
    with pytest.raises(BadInput, match="there is no secret A"):
        store.unset("A")


def test_a_missing_key_says_where_to_put_it(store: AgeStore, tmp_path: Path):
    store.set("A", "value")
    (tmp_path / "key").unlink()
    with pytest.raises(BadInput, match=r"there is no age key in .*/key") as refused:
        store.read()
    assert "SLIPWAY_AGE_KEY" in refused.value.remedy


def test_a_lost_key_is_never_replaced_by_a_new_one_that_opens_nothing(store: AgeStore, tmp_path: Path):
    store.set("A", "value")
    (tmp_path / "key").unlink()
    with pytest.raises(BadInput):
        store.set("B", "value")
    assert not (tmp_path / "key").exists()


def test_the_wrong_key_names_the_public_key_to_be_let_in(store: AgeStore, tmp_path: Path):
    store.set("A", "value")
    mine = age.new_key()
    stranger = AgeStore(store.path, Identity.of_text(mine))
    with pytest.raises(
        BadInput, match="cannot be opened with the key in the environment variable"
    ) as refused:
        stranger.read()
    assert age.public_of(mine) in refused.value.remedy
    assert mine not in str(refused.value) + refused.value.remedy
    with pytest.raises(BadInput):
        stranger.set("A", "overwritten")
    assert store.read() == {"A": "value"}


def share(store: AgeStore, key: str, who: str = "") -> None:
    now = store.recipients()
    store.set_recipients({**now, age.public_of(key): who}, seen=now)


def test_a_team_shares_a_store_by_its_recipients(store: AgeStore):
    store.set("A", "value")
    colleague = age.new_key()
    share(store, colleague, "Ana")
    theirs = AgeStore(store.path, Identity.of_text(colleague))
    theirs.set("B", "from a colleague")
    assert store.read() == theirs.read() == {"A": "value", "B": "from a colleague"}
    assert store.recipients()[age.public_of(colleague)] == "Ana"


def test_who_is_taken_out_of_the_recipients_cannot_open_what_is_written_next(store: AgeStore):
    store.set("A", "value")
    former = age.new_key()
    alone = store.recipients()
    share(store, former)
    store.set_recipients(alone, seen=store.recipients())
    store.set("A", "rotated")
    with pytest.raises(BadInput, match="cannot be opened"):
        AgeStore(store.path, Identity.of_text(former)).read()
    assert store.read() == {"A": "rotated"}


def test_a_writer_keeps_access_and_changes_only_the_list_that_was_shown(store: AgeStore):
    store.set("A", "value")
    seen = store.recipients()
    with pytest.raises(BadInput, match="could not open the store yourself"):
        store.set_recipients({age.public_of(age.new_key()): ""}, seen=seen)
    share(store, age.new_key())
    with pytest.raises(BadInput, match="changed meanwhile"):
        store.set_recipients(seen, seen=seen)
    with pytest.raises(BadInput, match="not an age public key"):
        store.set_recipients({**seen, "age1nonsense": ""}, seen=store.recipients())


def of_schema_1(store: AgeStore, *listed: str) -> None:
    """The store as earlier versions wrote it, with these keys in the file beside it."""
    content = json.dumps({"schema": 1, "values": {"A": "value"}})
    store.path.write_bytes(age.encrypt(content.encode(), store.mine()))
    lines = [*store.mine(), *listed]
    store.recipients_path.write_text("".join(f"{line}\n" for line in lines))


def test_exploit_a_line_added_beside_the_store_gets_no_secret(store: AgeStore):
    """It got every secret at the next write."""
    thief = age.new_key()
    store.set("A", "value")
    store.recipients_path.write_text(f"{age.public_of(thief)}\n")
    store.set("B", "value")
    with pytest.raises(BadInput, match="cannot be opened"):
        AgeStore(store.path, Identity.of_text(thief)).read()


def test_exploit_an_older_store_put_back_with_a_line_beside_it_gets_no_secret_either(store: AgeStore):
    thief = age.new_key()
    store.set("A", "value")
    of_schema_1(store, f"{age.public_of(thief)}  # continuous integration")
    with pytest.raises(BadInput, match="which anyone can change") as refused:
        store.set("B", "value")
    assert "slipway secrets share" in refused.value.remedy
    assert store.read() == {"A": "value"}


def test_an_older_store_is_taken_over_when_someone_has_seen_its_list(store: AgeStore):
    store.set("A", "value")
    colleague = age.new_key()
    of_schema_1(store, f"{age.public_of(colleague)}  # Ana")
    seen = store.recipients()
    assert seen[age.public_of(colleague)] == "Ana"
    store.set_recipients(seen, seen=seen)
    assert not store.recipients_path.exists()
    assert AgeStore(store.path, Identity.of_text(colleague)).read() == {"A": "value"}
    store.set("B", "value")


def test_an_older_store_with_my_key_alone_is_taken_over_by_any_write(store: AgeStore):
    store.set("A", "value")
    of_schema_1(store)
    store.set("B", "value")
    assert store.read() == {"A": "value", "B": "value"}


def test_an_old_key_kept_in_the_key_file_is_not_let_in_again(store: AgeStore, tmp_path: Path):
    store.set("A", "value")
    old = age.new_key()
    with (tmp_path / "key").open("a") as file:
        file.write(f"{old}\n")
    store.set("A", "again")
    assert age.public_of(old) not in store.recipients()


def test_nonsense_in_an_older_list_is_refused_by_line(store: AgeStore):
    store.set("A", "value")
    of_schema_1(store, "age1nonsense")
    with pytest.raises(BadInput, match=r"prod\.recipients:2: not an age public key"):
        store.set("A", "again")


def test_a_damaged_file_is_refused_and_not_overwritten(store: AgeStore):
    store.set("A", "value")
    store.path.write_text("oops")
    with pytest.raises(BadInput, match="not an age file"):
        store.set("B", "value")
    assert store.path.read_text() == "oops"


@pytest.mark.parametrize(("name", "value"), [("lower", "x"), ("A B", "x"), ("A", ""), ("A", "nul\0byte")])
def test_what_no_environment_can_carry_is_refused_without_showing_it(store: AgeStore, name: str, value: str):
    with pytest.raises(BadInput) as refused:
        store.set(name, value)
    assert "byte" not in str(refused.value).replace("NUL byte", "")
    assert store.read() == {}


def test_writers_at_the_same_time_lose_nothing(store: AgeStore):
    store.set("FIRST", "value")
    threads = [
        threading.Thread(target=store.set, args=(f"NAME_{index}", f"value {index}")) for index in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.read()) == 9


def test_a_writer_killed_before_it_ends_leaves_the_old_file_whole(store: AgeStore, tmp_path: Path):
    store.set("A", "old")
    script = (
        "import os, sys\nfrom pathlib import Path\n"
        "from slipway.secrets.age_store import AgeStore\nfrom slipway.secrets.age_store import Identity\n"
        "Path.replace = lambda *_: os.kill(os.getpid(), 9)\n"
        f"AgeStore(Path({str(store.path)!r}), Identity.at(Path({str(tmp_path / 'key')!r}))).set('A', 'new')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False, cwd=Path(__file__).parents[3])
    assert done.returncode == -9
    assert store.read() == {"A": "old"}


def test_the_key_comes_from_the_environment_before_any_file(tmp_path: Path):
    stack = Stack(name="prod", project="board", platform="aws")
    key = age.new_key()
    (tmp_path / "given").write_text(f"# mine\n{age.new_key()}\n")
    home = {"XDG_CONFIG_HOME": str(tmp_path)}
    file = home | {"SLIPWAY_AGE_KEY_FILE": str(tmp_path / "given")}
    assert Identity.of_stack(stack, file | {"SLIPWAY_AGE_KEY": key}).keys() == [key]
    assert Identity.of_stack(stack, file).file == tmp_path / "given"
    assert Identity.of_stack(stack, home).file == tmp_path / "slipway" / "age" / "board-prod.key"


def test_a_key_file_that_was_named_but_is_missing_is_not_made(tmp_path: Path):
    stack = Stack(name="prod", project="board", platform="aws")
    identity = Identity.of_stack(stack, {"SLIPWAY_AGE_KEY_FILE": str(tmp_path / "typo")})
    with pytest.raises(BadInput, match="SLIPWAY_AGE_KEY_FILE"):
        AgeStore(tmp_path / "prod.age", identity).set("A", "value")
    assert list(tmp_path.iterdir()) == []


def test_a_key_that_is_none_is_refused_without_being_shown():
    identity = Identity.of_text("AGE-SECRET-KEY-1TYPO")
    with pytest.raises(BadInput) as refused:
        identity.keys()
    assert "TYPO" not in f"{refused.value}{refused.value.remedy}{identity!r}"

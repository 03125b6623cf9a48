from __future__ import annotations

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
    assert sorted(path.name for path in store.path.parent.iterdir()) == ["prod.age", "prod.recipients"]


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


def test_a_team_shares_a_store_by_its_recipients(store: AgeStore):
    store.set("A", "value")
    colleague = age.new_key()
    store.add_recipient(age.public_of(colleague))
    theirs = AgeStore(store.path, Identity.of_text(colleague))
    theirs.set("B", "from a colleague")
    assert store.read() == theirs.read() == {"A": "value", "B": "from a colleague"}


def test_who_is_taken_out_of_the_recipients_cannot_open_what_is_written_next(store: AgeStore):
    store.set("A", "value")
    former = age.new_key()
    store.add_recipient(age.public_of(former))
    kept = [
        line for line in store.recipients_path.read_text().splitlines() if age.public_of(former) not in line
    ]
    store.recipients_path.write_text("\n".join(kept))
    store.set("A", "rotated")
    with pytest.raises(BadInput, match="cannot be opened"):
        AgeStore(store.path, Identity.of_text(former)).read()
    assert store.read() == {"A": "rotated"}


def test_an_old_key_kept_in_the_key_file_is_not_let_in_again(store: AgeStore, tmp_path: Path):
    store.set("A", "value")
    old = age.new_key()
    with (tmp_path / "key").open("a") as file:
        file.write(f"{old}\n")
    store.set("A", "again")
    assert age.public_of(old) not in store.recipients()


def test_comments_in_the_recipients_file_stay_and_nonsense_is_refused_by_line(store: AgeStore):
    store.set("A", "value")
    with store.recipients_path.open("a") as file:
        file.write(f"# continuous integration\n{age.public_of(age.new_key())}  # runner\n")
    store.add_recipient(age.public_of(age.new_key()))
    assert "# continuous integration" in store.recipients_path.read_text()
    assert len(store.recipients()) == 3
    with store.recipients_path.open("a") as file:
        file.write("age1nonsense\n")
    with pytest.raises(BadInput, match=r"prod\.recipients:5: not an age public key"):
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

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from hosts.agent import envfile
from hosts.agent.errors import AgentError
from hosts.agent.host import Paths
from hosts.agent.json_object import NO_TEXT, JsonObject
from hosts.agent.state import Slot
from tests.unit.agent.conftest import World

VALUES = (
    st.text(st.characters(codec="utf-8", exclude_characters="\0")) | st.text("\"\\`$%'\n\r\t #;=üa")
).filter(lambda text: not NO_TEXT.search(text))
ANYTHING = st.text(st.characters(exclude_characters="\0")) | st.text(
    "a\ud800\ufdd0\ufdef\ufffe\uffff\U0001fffe"
)
NAMES = st.from_regex(r"[A-Z_][A-Z0-9_]{0,12}", fullmatch=True)


def as_systemd_reads(text: str) -> dict[str, str]:
    """parse_env_file_internal of systemd 252 (src/basic/env-file.c), as far as quoted values reach it."""
    found: dict[str, str] = {}
    state, key, value = "before key", "", ""
    for c in text + "\n":
        if state == "before key" and c not in "\n\r \t":
            state, key = "key", c
        elif state == "key":
            state, key = ("before value", key) if c == "=" else ("key", key + c)
            value = ""
        elif state == "before value":
            assert c == '"', "only quoted values are written"
            state = "quoted"
        elif state == "quoted":
            if c == '"':
                state = "after"
            elif c == "\\":
                state = "escape"
            else:
                value += c
        elif state == "escape":
            value += c if c in '"\\`$' else "" if c == "\n" else "\\" + c
            state = "quoted"
        elif state == "after":
            assert c == "\n"
            found[key] = value
            state = "before key"
    return found


@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_every_value_arrives_as_it_was(values: dict[str, str]):
    content = envfile.render(values)
    assert as_systemd_reads(content.decode()) == values
    assert envfile.parse(content) == values


def systemd_discards(content: bytes) -> bool:
    """utf8_is_valid and unichar_is_valid (src/basic/utf8.c): load_env_file then discards the whole file."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return True
    codes = [ord(character) for character in text]
    return any(0xFDD0 <= code <= 0xFDEF or code & 0xFFFE == 0xFFFE for code in codes)


@given(st.dictionaries(NAMES, ANYTHING, min_size=1, max_size=4))
def test_exploit_one_value_voids_no_env_file(values: dict[str, str]):
    """A noncharacter in one value did, and the app started without any variable."""
    try:
        content = envfile.render(values)
    except AgentError as refused:
        assert refused.code == "bad_env"
    else:
        assert not systemd_discards(content)


@pytest.mark.skipif(
    not Path("/run/systemd/system").is_dir() or not shutil.which("systemd-run"), reason="no systemd runs here"
)
@settings(max_examples=10)
@given(st.dictionaries(NAMES, VALUES.filter(bool), min_size=1, max_size=20))
def test_systemd_itself_gives_every_value_back(values: dict[str, str]):
    path = Path("/run/slipway-test.env")
    path.write_bytes(envfile.render({f"T_{name}": value for name, value in values.items()}))
    out = subprocess.run(
        [
            "systemd-run",
            "--quiet",
            "--pipe",
            "--wait",
            "--collect",
            f"--property=EnvironmentFile={path}",
            "env",
            "-0",
        ],
        check=True,
        capture_output=True,
    ).stdout
    path.unlink()
    got = dict(item.split("=", 1) for item in out.decode().split("\0") if item.startswith("T_"))
    assert got == {f"T_{name}": value for name, value in values.items()}


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("A", "x\0y", "A holds a NUL"),
        ("A", "x\ud800", "A is not valid Unicode"),
        ("A", "x" * 200_000, "A is longer"),
        ("A-B", "x", "'A-B' is not the name"),
        ("A=B", "x", "is not the name"),
        ("1A", "x", "is not the name"),
    ],
)
def test_what_systemd_would_drop_without_a_word_is_refused_by_name(name: str, value: str, says: str):
    with pytest.raises(AgentError) as refused:
        envfile.render({name: value})
    assert refused.value.code == "bad_env"
    assert says in refused.value.message
    assert "xxxx" not in refused.value.message


def test_the_slots_files_are_for_root_only_and_replace_those_before(world: World):
    slot = Slot("blue", JsonObject({"processes": {"web": {"command": "serve"}}}, "slot"))
    envfile.write_slot(
        world.paths,
        world.host,
        slot,
        JsonObject({"web": {"A": "1", "PORT": "9"}, "migrate": {"B": "2"}}, "env"),
    )
    assert envfile.read(world.paths, "blue", "web").items() >= {"A": "1", "SLIPWAY_SLOT": "blue"}.items()
    assert "PORT" not in envfile.read(world.paths, "blue", "web")
    assert Path(world.paths.env_file("blue", "web")).stat().st_mode & 0o777 == 0o600
    assert Path(world.paths.env).stat().st_mode & 0o777 == 0o700
    envfile.write_slot(world.paths, world.host, slot, JsonObject({"web": {"A": "1"}}, "env"))
    assert not Path(world.paths.env_file("blue", "migrate")).exists()


@pytest.mark.parametrize("scope", ["../x", "a/b", ".x"])
def test_a_scope_cannot_name_a_file_elsewhere(world: World, scope: str):
    with pytest.raises(AgentError, match="not the name of a process"):
        envfile.write_slot(world.paths, world.host, Slot("blue"), JsonObject({scope: {}}, "env"))


def test_secrets_are_hidden_plain_and_as_they_look_in_json_and_urls():
    hidden = envfile.disguises(['pa"ss/word', "short"])
    for text in ('pa"ss/word', '{"a":"pa\\"ss/word"}', "?p=pa%22ss%2Fword"):
        assert "ss" not in envfile.redact(text, hidden)
    assert envfile.redact("short", hidden) == "short"


def test_a_long_secret_is_hidden_before_one_that_is_part_of_it(tmp_path: Path):
    assert Paths(str(tmp_path)).env.startswith(str(tmp_path))
    assert envfile.redact("abcdefgh", envfile.disguises(["abcdef", "abcdefgh"])) == "[redacted]"

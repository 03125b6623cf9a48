from __future__ import annotations

from pathlib import Path

import pytest

from slipway.settings import BadInput, load_app
from slipway.settings.violations import InvalidSettings
from tests.unit.settings.conftest import SMALL, Load, Wrong


def test_a_small_file_is_enough(load: Load):
    app = load(SMALL)
    assert app.web is not None
    assert app.web.health == "/health"


def test_the_folder_may_be_given_instead_of_the_file(load: Load, tmp_path: Path):
    load(SMALL)
    assert load_app(tmp_path).name == "board"


def test_an_app_without_web_database_or_sockets_is_fine(load: Load):
    app = load('name = "w"\nruntime = { name = "none" }\n[processes.mailer]\ncommand = "./mailer"\n')
    assert app.role_of("mailer") == "worker"


def test_load_tests_request_the_health_path_unless_other_paths_are_named(load: Load):
    assert load(SMALL + 'health = "/up"\n').load_paths == ["/up"]
    assert load(SMALL + '[load]\npaths = ["/", "/shop"]\n').load_paths == ["/", "/shop"]


def test_a_bad_value_is_shown_with_file_line_key_value_and_remedy(load: Load):
    with pytest.raises(InvalidSettings) as refused:
        load(SMALL + 'health = "health"\n')
    assert refused.value.message == 'slipway.toml:6 processes.web.health: must start with "/", got "health"'
    assert refused.value.remedy == 'write "/health"'
    assert refused.value.exit_code == 2


def test_everything_wrong_comes_in_one_error_in_the_order_of_the_file(load: Load):
    with pytest.raises(InvalidSettings) as refused:
        load(SMALL + 'instances = 0\ndrain_secs = 5\n[limits]\nbody_bytes = "big"\n[nonsense]\n')
    assert refused.value.message == "slipway.toml: 4 problems"
    assert refused.value.details == (
        "slipway.toml:6 processes.web.instances: must be at least 1, got 0",
        'slipway.toml:7 processes.web.drain_secs: unknown key (did you mean "drain_seconds"?)',
        'slipway.toml:9 limits.body_bytes: must be a whole number, got "big"',
        "slipway.toml:10 nonsense: unknown key (known: name, runtime, build, preflight, processes, cron, "
        "migrate, env, client_prefixes, limits, private_paths, websocket, smoke, observe, load, checks, "
        "retire, preview)",
    )


def test_unknown_keys_do_not_hide_what_else_makes_no_sense(wrong: Wrong):
    found = wrong('helth = "/h"\n[cron.nightly]\nschedule = "daily"\npath = "/cron"\n')
    assert [line.split(":")[1] for line in found] == ["6 processes.web.helth", "7 cron.nightly.secret"]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ('stop_signal = "SIGKILL"\n', '6 processes.web.stop_signal: must be "SIGTERM", '),
        (
            'memory_max = "1 gigabyte"\n',
            "6 processes.web.memory_max: must be a number of megabytes or gigabytes",
        ),
        ('overlap = "maybe"\n', '6 processes.web.overlap: must be true or false, got "maybe"'),
        ("[processes.Worker]\ncommand = 'x'\n", "6 processes.Worker: must be lowercase letters"),
        ("[processes.worker]\n", "6 processes.worker.command: is required"),
        ("[processes.worker]\ncommand = ''\n", "7 processes.worker.command: must not be empty"),
        ("[env]\nlower = { value = 'x' }\n", "7 env.lower: must be uppercase letters"),
        ("[env]\nX = {}\n", "7 env.X: give exactly one of value, secret = true and from"),
        ("[env]\nX = 'plain'\n", "7 env.X: must be a table ()"),
        (
            "[cron.c]\nschedule = '*-*-* 06:00\\\\'\ncommand = 'x'\n",
            '7 cron.c.schedule: must be a systemd calendar time, got "*-*-* 06:00\\\\',
        ),
        ("[cron.c]\nschedule = ''\ncommand = 'x'\n", "7 cron.c.schedule: must be a systemd calendar time"),
        ("[cron.c]\nschedule = '@daily'\ncommand = 'x'\n", "7 cron.c.schedule: must be a systemd calendar"),
        ("[cron.c]\nschedule = 'daily'\n", "6 cron.c: give exactly one of path and command"),
        (
            "[[smoke.steps]]\nname='a'\nrequest='GET health'\n",
            "8 smoke.steps[0].request: must be a method and",
        ),
        ("[observe]\nerror_ratio = 2\n", "7 observe.error_ratio: must be at most 1, got 2"),
        ("[build]\ninclude = 'src'\n", '7 build.include: must be a list, got "src"'),
        ("[runtime2]\n", '6 runtime2: unknown key (did you mean "runtime"?)'),
    ],
)
def test_each_kind_of_mistake_is_named_in_plain_words(load: Load, more: str, expected: str):
    with pytest.raises(InvalidSettings) as refused:
        load(SMALL + more)
    only = refused.value.violations[0]
    assert f"{only} ({only.remedy})".startswith(f"slipway.toml:{expected}")
    assert len(refused.value.violations) == 1


def test_a_syntax_error_names_its_line(load: Load):
    with pytest.raises(InvalidSettings) as refused:
        load(SMALL + "health = /health\n")
    assert refused.value.message.startswith("slipway.toml:6: not valid TOML: ")
    assert "quotes" in refused.value.remedy


def test_a_key_given_twice_names_its_line(load: Load):
    with pytest.raises(InvalidSettings, match=r"slipway\.toml:6: not valid TOML"):
        load(SMALL + "command = 'again'\n")


def test_an_unclosed_string_at_the_end_is_a_syntax_error_too(load: Load):
    with pytest.raises(InvalidSettings, match=r"slipway\.toml:\d+: not valid TOML"):
        load(SMALL + 'health = """')


def test_a_file_that_is_not_there_says_what_to_do(tmp_path: Path):
    with pytest.raises(BadInput, match="no such file") as refused:
        load_app(tmp_path / "slipway.toml")
    assert "slipway:app" in refused.value.remedy


def test_a_file_that_is_not_text_is_refused_without_a_traceback(tmp_path: Path):
    (tmp_path / "slipway.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="cannot be read"):
        load_app(tmp_path)

"""Kept connections and trials in the background, against a real sshd."""

from __future__ import annotations

import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host as Machine

from checks.kit.background import Background, begun_early
from checks.kit.hosts import KeptBackend
from tests.sshd import find_sshd, serve


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Generator[KeptBackend]:
    program = find_sshd()
    if not program:
        pytest.skip("no sshd: install openssh-server")
    with serve(program, tmp_path_factory.mktemp("sshd")) as server:
        backend = KeptBackend("web1", server.config(), sudo=False)
        yield backend
        backend.close()


def test_output_errors_and_exit_code_come_back(kept: KeptBackend) -> None:
    done = kept.run("echo out; echo err >&2; exit 3")
    assert (done.stdout, done.stderr, done.rc) == ("out\n", "err\n", 3)


def test_arguments_are_quoted(kept: KeptBackend) -> None:
    odd = 'a b\'; echo "$HOME" ü'
    assert kept.run("printf %%s %s", odd).stdout == odd


def test_testinfra_reads_through_it(kept: KeptBackend) -> None:
    machine: Any = Machine(kept)
    assert machine.file("/etc/passwd").is_file
    assert machine.user("root").uid == 0


def test_one_interpreter_serves_all_questions(kept: KeptBackend) -> None:
    assert kept.run("echo $PPID").stdout == kept.run("echo $PPID").stdout


def test_questions_of_many_threads_get_their_own_answers(kept: KeptBackend) -> None:
    answers: dict[int, str] = {}

    def ask(number: int) -> None:
        answers[number] = kept.run(f"echo {number}").stdout.strip()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: str(number) for number in range(20)}


def test_a_host_that_is_not_there_is_no_answer(kept: KeptBackend) -> None:
    stranger = KeptBackend("nobody.invalid", kept_config(kept), sudo=False)
    with pytest.raises((ConnectionError, BrokenPipeError)):
        stranger.run("true")


def kept_config(kept: KeptBackend) -> Path:
    return Path(kept._argv[2])  # pyright: ignore[reportPrivateUsage]


BEGUN = threading.Event()


@begun_early
def slow_trial(site: object, hosts: object) -> str:
    BEGUN.set()
    return f"{site} {hosts}"


@begun_early
def failing_trial(_site: object, _hosts: object) -> str:
    raise ValueError("no")


def test_trials_that_are_wanted_begin_at_once_and_are_waited_for() -> None:
    background = Background()
    background.begin_planned({"slow_trial", "failing_trial"}, "site", "hosts")
    assert BEGUN.wait(30), "begun before anybody asks for the result"
    assert background.result(slow_trial) == "site hosts"
    with pytest.raises(ValueError, match="no"):
        background.result(failing_trial)
    background.close()


def test_a_trial_that_was_not_begun_is_done_when_it_is_asked_for() -> None:
    background = Background()
    assert background.result(slow_trial, "a", "b") == "a b"
    background.close()

"""Asking HAProxy through its runtime socket."""

import socket
from pathlib import Path

import pytest

from hosts.agent import haproxy
from hosts.agent.errors import AgentError
from hosts.agent.host import Paths


def test_why_haproxy_does_not_answer_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    paths = Paths(str(tmp_path))
    with pytest.raises(AgentError, match=r"does not answer on .*haproxy.*: No such file or directory$"):
        haproxy.ask(paths, "show stat")
    monkeypatch.setattr(haproxy, "_TIMEOUT", 0.1)
    Path(paths.haproxy).parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(paths.haproxy)
        silent.listen()
        with pytest.raises(AgentError, match=r"does not answer on .*haproxy.*: timed out$"):
            haproxy.ask(paths, "show stat")

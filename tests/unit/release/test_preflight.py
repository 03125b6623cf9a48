"""How preflight ends when it is interrupted, and what it searches for secrets."""

from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from slipway.progress import Silent
from slipway.release import preflight
from slipway.release.preflight import Preflight, Problem, source_secrets
from slipway.release.rollout import Rollout
from slipway.settings import App, SlipwayError

KEY = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"


def test_an_interrupt_ends_what_still_looks(rollout: Rollout, monkeypatch: pytest.MonkeyPatch):
    ended: list[bool] = []

    def interrupted(_: Rollout) -> Iterable[Problem]:
        raise KeyboardInterrupt

    def looks_until_stopped(found: Rollout) -> Iterable[Problem]:
        ended.append(found.stopped.wait(60))
        return ()

    monkeypatch.setattr(preflight, "CHECKS", (interrupted, looks_until_stopped))
    with pytest.raises(KeyboardInterrupt):
        Preflight().run(rollout)
    assert ended == [True]


def of(folder: Path, rollout: Rollout, **settings: Any) -> Any:
    app = App.model_validate(
        {
            "name": "app",
            "runtime": {"name": "none"},
            "processes": {"web": {"command": "./app"}},
            **settings,
        }
    )
    return SimpleNamespace(
        project=SimpleNamespace(context=folder),
        app=app,
        stack=SimpleNamespace(secrets={"A": "k3y-0f-th1s-st4ck"}),
        stopped=rollout.stopped,
        progress=Silent(),
    )


def test_only_what_would_be_shipped_is_searched(rollout: Rollout, tmp_path: Path):
    for name in ("src", "docs", "fixtures"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.md").write_text(f"{KEY}\nk3y-0f-th1s-st4ck\n")
    settings = {
        "build": {"include": ["src/**", "fixtures/**"]},
        "preflight": {"allow_keys": ["fixtures/**"]},
    }
    found = [problem.text for problem in source_secrets(of(tmp_path, rollout, **settings))]
    assert found == [
        "fixtures/a.md:2: the value of A",
        "src/a.md:1: a key, by its form: github-pat",
        "src/a.md:2: the value of A",
    ]


def test_a_stopped_release_searches_no_further(rollout: Rollout, tmp_path: Path):
    (tmp_path / "a").write_text("text")
    rollout.stopped.set()
    with pytest.raises(SlipwayError, match="stopped"):
        list(source_secrets(of(tmp_path, rollout)))

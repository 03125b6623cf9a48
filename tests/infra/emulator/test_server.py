"""The emulator answers one request after the other: moto's state is not made for threads."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.infra.emulator.reach import client, served

ROLES = 300
AT_ONCE = 10


def test_requests_at_once_do_not_fail_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Moto answered 500, at times with the thing already made: Terraform's next try then found it in use."""
    # Threads take turns after every few instructions, as they do where there is no free processor.
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.setswitchinterval(1e-6)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    log = tmp_path / "server.log"
    with served(log) as endpoint:
        iam = client("iam", endpoint)

        def make(number: int) -> None:
            iam.create_role(RoleName=f"role-{number}", AssumeRolePolicyDocument="{}")

        with ThreadPoolExecutor(AT_ONCE) as pool:
            made = [pool.submit(make, number) for number in range(ROLES)]
    failed = [each.exception() for each in made if each.exception()]
    assert not failed, f"{len(failed)} of {ROLES}: {failed[0]}\n{log.read_text()[-2000:]}"

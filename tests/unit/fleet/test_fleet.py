"""Working on all hosts at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from slipway.fleet.fleet import Fleet, FleetError, FleetHost
from slipway.fleet.open_bucket import open_bucket
from slipway.settings import BadInput, Bucket as BucketOutput, Host, Outputs, SecretStore
from slipway.storage.bucket import Bucket
from tests.ports import free_port
from tests.s3 import S3
from tests.sshd import Sshd


def outputs_of(sshd: Sshd, *hosts: Host, builds: BucketOutput | None = None) -> Outputs:
    return Outputs(
        stack="test",
        platform="servers",
        url="https://localhost",
        hosts=list(hosts),
        ssh_config=str(sshd.config(*hosts)),
        builds=builds or BucketOutput(bucket="none"),
        secrets=SecretStore(kind="age", location="none"),
    )


def test_hosts_are_worked_on_at_once_and_answer_by_name(sshd: Sshd) -> None:
    fleet = Fleet(outputs_of(sshd, sshd.host("web1"), sshd.host("web2"), sshd.host("data1", role="data")))
    meet = threading.Barrier(2, timeout=60)
    assert fleet.each(fleet.web, lambda host: (meet.wait(), host.name)[1]) == {"web1": "web1", "web2": "web2"}


_HUNDREDS = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (1024, int(sys.argv[1])))
from slipway.fleet.fleet import Fleet
from slipway.fleet.process import Exchange
from slipway.settings import Outputs
fleet = Fleet(Outputs.model_validate_json(sys.stdin.read()))
assert set(fleet.each(fleet.web, lambda host: Exchange(["sleep", "0.2"]).run().code).values()) == {0}
"""


@pytest.mark.parametrize("most_files", ["1024", "4096"])
def test_hundreds_of_hosts_need_no_more_open_files_than_a_process_may_have(
    sshd: Sshd, most_files: str
) -> None:
    outputs = outputs_of(sshd, *(sshd.host(f"web{number}") for number in range(1, 301)))
    done = subprocess.run(
        [sys.executable, "-c", _HUNDREDS, most_files],
        input=outputs.model_dump_json(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_every_host_that_failed_is_told_with_how(sshd: Sshd) -> None:
    down, up = sshd.host("web1", ssh_port=free_port()), sshd.host("web2")
    fleet = Fleet(outputs_of(sshd, down, up, sshd.host("web3", ssh_host="nowhere.invalid")))
    with pytest.raises(FleetError, match="2 of 3 hosts failed") as caught:
        fleet.each(fleet.hosts, lambda host: host.connection.run(["echo", host.name]).stdout)
    assert caught.value.details == (
        "web1: connection refused",
        "web3: its address cannot be resolved",
    )
    assert caught.value.results == {"web2": "web2\n"}
    assert set(caught.value.failures) == {"web1", "web3"}
    fleet.close()


def test_ctrl_c_stops_waiting_for_the_hosts(sshd: Sshd) -> None:
    fleet = Fleet(outputs_of(sshd, sshd.host()))
    fleet.host("web1").connection.open()
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    began = time.monotonic()

    def work(host: FleetHost) -> None:
        host.connection.run(["sleep", "60"])

    def pressed(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, pressed)
    try:
        with pytest.raises(KeyboardInterrupt):
            fleet.each(fleet.hosts, work)
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - began < 30
    assert fleet.host("web1").connection.is_open()
    fleet.close()


def builds_behind(sshd: Sshd, s3: S3, name: str) -> Outputs:
    place = BucketOutput(
        bucket=name,
        endpoint=s3.endpoint,
        tunnel="data1",
        access_key=s3.account.access_key,
        secret_key_secret="PLATFORM_BUILDS_SECRET_KEY",
    )
    return outputs_of(sshd, sshd.host("data1", role="data"), builds=place)


def test_the_builds_bucket_is_reached_through_its_hosts_connection(
    sshd: Sshd, s3: S3, tmp_path: Path
) -> None:
    outputs = builds_behind(sshd, s3, s3.bucket().name)
    secrets = {"PLATFORM_BUILDS_SECRET_KEY": s3.account.secret_key}
    bucket: Bucket = open_bucket(outputs, secrets)
    etag = bucket.put_json("a.json", {"n": 1}, if_none_match=True)
    assert open_bucket(outputs, secrets).get_json("a.json") == ({"n": 1}, etag)
    Fleet(outputs).close()


def test_a_bucket_without_its_key_in_the_store_is_bad_input(sshd: Sshd, s3: S3) -> None:
    outputs = builds_behind(sshd, s3, "any")
    with pytest.raises(BadInput, match="no PLATFORM_BUILDS_SECRET_KEY"):
        open_bucket(outputs, {})
    Fleet(outputs).close()

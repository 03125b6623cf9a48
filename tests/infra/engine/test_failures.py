"""What the engine cannot do is told in one message with a remedy. The texts are its own."""

from __future__ import annotations

import pytest

from slipway.platforms.pulumi import refuse_missing
from slipway.platforms.pulumi.failures import explain
from slipway.settings import BadInput, SlipwayError

SAID = {
    "passphrase is wrong": "getting stack configuration: get stack secrets manager: incorrect passphrase",
    "passphrase is not given": "get stack secrets manager: passphrase must be set with "
    "PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE environment variables",
    "not logged in": "PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions",
    "cannot be reached": 'unable to open state directory "file:///nowhere": stat /nowhere: no such file',
    "keeps its state cannot": 'read ".pulumi/meta.yaml": blob (key ".pulumi/meta.yaml") (code=Unknown): '
    "operation error S3: GetObject",
    "plugin of the engine is missing": "Could not automatically download and install resource plugin "
    "'pulumi-resource-cloudflare' at version v6.23.1, install the plugin using `pulumi plugin install "
    "resource cloudflare v6.23.1`: error downloading provider cloudflare to file: failed all 5 attempts",
    "program's Python": "Could not find `uv` executable.",
    "no valid AWS credentials": "unable to validate AWS credentials.\nNo valid credential sources found.",
    "another AWS account": "AWS account ID not allowed: 111122223333",
}


@pytest.mark.parametrize("message", sorted(SAID))
def test_a_known_failure_is_bad_input_with_a_remedy(message: str) -> None:
    failure = explain(f"\n code: 255\n stdout: \n stderr: error: {SAID[message]}", doing="the preview")
    assert isinstance(failure, BadInput)
    assert message in failure.message
    assert failure.remedy


def test_another_failure_tells_its_errors_without_the_way_to_them() -> None:
    said = (
        " code: 1\n stdout: Updating (prod):\n  aws:rds:Instance (database):\n"
        "    error: creating RDS: quota exceeded\n    Traceback (most recent call last):\n"
        "      File x, line 1\n    builtins.ValueError: no zone\n stderr: "
    )
    failure = explain(said, doing="the update")
    assert type(failure) is SlipwayError
    assert failure.details == ("creating RDS: quota exceeded", "builtins.ValueError: no zone")


def test_without_the_cli_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(BadInput, match="Pulumi CLI is not on PATH") as missing:
        refuse_missing()
    assert "https://www.pulumi.com/docs/install/" in missing.value.remedy

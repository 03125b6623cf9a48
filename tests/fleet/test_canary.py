"""A canary among the stack's secrets is found nowhere but in the store and in the hosts' 0600 env files."""

import base64
import secrets
from pathlib import Path
from urllib.parse import quote

import pytest

from slipway.stack import LiveStack
from tests.fleet.command import slipway
from tests.fleet.sabotage import prepend
from tests.fleet.site import FORGET_JOURNAL, Site

pytestmark = pytest.mark.fleet

NAME = "SENTRY_DSN"


def test_a_canary_secret_is_found_in_no_log_journal_ledger_manifest_process_list_report_or_error(site: Site):
    canary = f"https://canary{secrets.token_hex(12)}@errors.invalid/1"
    printed: list[str] = []

    def run(*args: str, stdin: str = "") -> None:
        ran = slipway(site.root, *args, stdin=stdin)
        printed.extend((ran.out, ran.err))

    try:
        run("secrets", "set", NAME, stdin=canary)
        run("secrets", "list", "--all")
        run("secrets", "check", "--json")
        run("release", "--observe", "0", "--no-checks")
        with site.kept_source():
            # An app that prints its whole environment as it dies: what a person is shown must be redacted.
            prepend(site.app / "src/web.ts", "console.error(JSON.stringify(process.env)); process.exit(1);")
            run("release", "--json", "--no-checks")
            assert NAME in printed[-2], "the app's dying words were not shown at all"
        run("status", "--json")
        run("history", "--json")
        run("logs", "-n", "500")
        run("meter", "--rps", "5", "--sockets", "1", "--seconds", "2", "--json")
        run("rollback", "--json")
        forms = (canary, quote(canary, safe=""), base64.b64encode(canary.encode()).decode())
        for text in (*printed, *_ledger(site), *_state_files(site), *_hosts(site)):
            for form in forms:
                assert form not in text, _around(text, form)
    finally:
        slipway(site.root, "secrets", "unset", NAME)
        for host in site.outputs.by_role("web"):
            site.on(host.name, FORGET_JOURNAL)


def _ledger(site: Site) -> list[str]:
    bucket = LiveStack(site.project).bucket
    keys = [key for prefix in ("stacks/", "builds/", "inputs/") for key in bucket.list(prefix)]
    assert keys
    return [str(bucket.get_json(key)) for key in keys if key.endswith(".json")]


def _state_files(site: Site) -> list[str]:
    return [path.read_text(errors="replace") for path in _files(site.root / ".slipway")]


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".sock"]


def _hosts(site: Site) -> list[str]:
    texts: list[str] = []
    for host in site.outputs.hosts:
        # The app's own dying words are in its journal as the app wrote them: the app's doing.
        texts.append(site.on(host.name, "journalctl --no-pager -o cat | grep -v SLIPWAY_SLOT || true"))
        texts.append(site.on(host.name, "ps auxww"))
        texts.append(
            site.on(
                host.name, "cat /var/lib/slipway/*.json /etc/systemd/system/*.service 2>/dev/null || true"
            )
        )
        texts.append(
            site.on(
                host.name, "find /etc/systemd/system /run/systemd -type f -exec cat {} + 2>/dev/null || true"
            )
        )
        readable = (
            "runuser -u nobody -- sh -c 'cat /etc/slipway/env/*/*.env /etc/slipway/*.json' 2>&1 || true"
        )
        texts.append(site.on(host.name, readable))
    return texts


def _around(text: str, form: str) -> str:
    at = text.index(form)
    return f"canary found after: …{text[max(0, at - 300) : at]!r}"

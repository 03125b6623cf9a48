from __future__ import annotations

import base64
from pathlib import Path
from urllib.parse import quote

import pytest

from slipway.secrets.contract import env_example
from slipway.secrets.scan import CHUNK, scan
from slipway.settings import App

VALUE = "vQzjdh7sL85ukZhx+7yTjVb1fitl6nMbB9biq/rsVSg="


def leaks(folder: Path, files: dict[str, str | bytes], app: App | None = None) -> list[str]:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    found = scan(folder, files, {"JWT_SECRET": VALUE, "SHORT": "1234"}, app)
    assert VALUE not in repr(found)
    return [f"{leak.where}: {leak.what}" for leak in found]


def test_a_value_of_the_store_is_found_in_every_shape_with_its_line(tmp_path: Path):
    found = leaks(
        tmp_path,
        {
            "src/a.ts": f"one\nconst key = '{VALUE}'\n",
            "src/b.ts": f"\n\nfetch('https://x?k={quote(VALUE, safe='')}')",
            "bin/c": b"\0\1\2\n" + base64.b64encode(VALUE.encode()) + b"\0",
            "clean.ts": "port 1234",
            "empty": "",
        },
    )
    assert found == [
        "bin/c:2: the value of JWT_SECRET",
        "src/a.ts:2: the value of JWT_SECRET",
        "src/b.ts:3: the value of JWT_SECRET",
    ]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("AKIA" + "Q3EGRT5XZ7WVBN2M", "aws-access-token"),
        ("sk_" + "live_51H8mQ2KzLw9XcVbNaTyUeRp", "stripe-access-token"),
        ("ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8", "github-pat"),
        ("AGE-SECRET-" + "KEY-1" + "Q3W7E" * 11 + "QPZ", "age-secret-key"),
        (
            "-----BEGIN OPENSSH " + "PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ\n",
            "private-key",
        ),
    ],
)
def test_keys_of_well_known_kinds_are_found_whosever_they_are(tmp_path: Path, text: str, what: str):
    assert leaks(tmp_path, {"config.py": f"\nkey = '{text}'\n"}) == [
        f"config.py:2: a key, by its form: {what}"
    ]


def test_keys_from_manuals_are_not(tmp_path: Path):
    assert (
        leaks(tmp_path, {"README.md": "AKIA" + "IOSFODNN7EXAMPLE", "a.md": "-----BEGIN PRIVATE KEY-----"})
        == []
    )


def test_a_key_on_an_allowed_line_or_file_is_passed_over_and_a_value_of_the_store_is_not(tmp_path: Path):
    key = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    (tmp_path / "fixture.json").write_text(f'{{"key": "{key}",\n"jwt": "{VALUE}"}}')
    (tmp_path / "a.py").write_text(f'key = "{key}"  # gitleaks:allow\nother = "{key}"\n')
    found = scan(
        tmp_path, ["a.py", "fixture.json"], {"JWT_SECRET": VALUE}, allowed=lambda name: name == "fixture.json"
    )
    assert [(leak.where, leak.what) for leak in found] == [
        ("a.py:2", "a key, by its form: github-pat"),
        ("fixture.json:2", "the value of JWT_SECRET"),
    ]


def test_binaries_are_searched_for_values_of_the_store_only(tmp_path: Path):
    key = b"ghp_" + b"a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    assert leaks(tmp_path, {"app": b"\x7fELF\0" + key}) == []


def test_secrets_are_found_across_and_far_behind_the_chunks_that_are_searched_at_once(tmp_path: Path):
    key = b"\nghp_" + b"a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8\n"
    line = b"x" * 1023 + b"\n"
    across = line * (CHUNK // 1024)
    text = across[:-20] + key + across[:-1044] + VALUE.encode() + across + key
    wanted = [
        number
        for number, line in enumerate(text.split(b"\n"), 1)
        if b"ghp_" in line or VALUE.encode() in line
    ]
    assert [int(leak.split(":")[1]) for leak in leaks(tmp_path, {"big.txt": text})] == wanted
    assert len(wanted) == 3


def test_a_scan_ends_between_two_chunks_when_its_caller_is_stopped(tmp_path: Path):
    (tmp_path / "big").write_bytes(b"y" * (3 * CHUNK))
    seen: list[int] = []

    def stop(size: int) -> None:
        seen.append(size)
        if len(seen) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scan(tmp_path, ["big"], {}, seen=stop)
    assert seen == [CHUNK, CHUNK]


def test_an_env_file_with_secrets_is_found_and_plain_settings_are_not(tmp_path: Path, app: App):
    text = (
        "NODE_ENV=production\nexport JWT_SECRET='something'\n# JWT_SECRET=x\nOTHER_TOKEN=abc\nSTRIPE_KEY=\n"
    )
    assert leaks(tmp_path, {"api/.env.production": text}, app) == [
        "api/.env.production:2: a value for JWT_SECRET in an env file",
        "api/.env.production:4: a value for OTHER_TOKEN in an env file",
    ]


def test_a_template_may_show_placeholders_but_no_value(tmp_path: Path, app: App):
    text = "JWT_SECRET=changeme\nDATABASE_PASSWORD=the-one-from-the-wiki\nAPI_KEY=get one at https://x.example/7\nSTRIPE_KEY=sk_test_51H8mQ2KzLw9XcVb\nNODE_ENV=development\n"
    assert leaks(tmp_path, {".env.example": text}, app) == [
        ".env.example:4: a value for STRIPE_KEY in a template, which should be empty"
    ]


def test_the_generated_template_names_every_variable_and_passes_the_scan(tmp_path: Path, app: App):
    text = env_example(app)
    assert [line.split("=")[0] for line in text.splitlines() if line and line[0] != "#"] == list(app.env)
    assert "# Secret. At least 32 characters.\nJWT_SECRET=\n" in text
    assert "NODE_ENV=production\n" in text
    assert leaks(tmp_path, {".env.example": text}, app) == []


def test_links_are_passed_over(tmp_path: Path):
    (tmp_path / "real").write_text(VALUE)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert scan(tmp_path, ["link", "gone"], {"JWT_SECRET": VALUE}) == []

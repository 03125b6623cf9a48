# ruff: noqa: RUF001 - the marks are what is printed
from __future__ import annotations

import base64
import json
import textwrap
from urllib.parse import quote, quote_plus, urlencode

from hypothesis import assume, given, strategies as st

from hosts.agent import envfile
from slipway.secrets.redact import Redactor

CANARY = 'c4n@ry/"töken"\\ +7'
PRINTABLE = st.characters(min_codepoint=0x20, max_codepoint=0x2FF, exclude_categories=["Cs", "Cc"])
canaries = st.text(PRINTABLE, min_size=8, max_size=40)


def test_the_name_stands_where_the_value_was():
    redactor = Redactor({"JWT_SECRET": "correct horse"})
    assert redactor.text("got correct horse, twice: correct horse") == "got ‹JWT_SECRET›, twice: ‹JWT_SECRET›"


def test_the_longest_of_two_nested_secrets_is_taken():
    redactor = Redactor({"SHORT": "hunter22", "LONG": "hunter22-and-more"})
    assert redactor.text("hunter22-and-more hunter22") == "‹LONG› ‹SHORT›"


def test_values_too_short_to_be_told_from_text_are_left():
    assert Redactor({"PIN": "12345", "EMPTY": ""}).text("port 12345") == "port 12345"


@given(canaries, st.text(PRINTABLE, max_size=20), st.text(PRINTABLE, max_size=20))
def test_a_canary_is_found_in_no_shape(canary: str, before: str, after: str):
    raw = canary.encode()
    shapes = [
        canary,
        json.dumps({"a": canary}),
        json.dumps({"a": canary}, ensure_ascii=False),
        repr(canary),
        quote(canary, safe=""),
        quote(canary),
        quote_plus(canary),
        urlencode({"k": canary}),
        f"postgres://u:{quote(canary, safe='')}@h/d",
        raw.hex(),
        base64.b64encode(raw).decode(),
        base64.urlsafe_b64encode(raw).decode(),
        base64.b32encode(raw).decode(),
        base64.b32encode(raw).decode().lower(),
        raw.hex().upper(),
        raw.hex(" "),
        raw.hex(":").upper(),
        "".join(f"\\x{byte:02x}" for byte in raw),
        "".join(f"\\u{ord(letter):04x}" for letter in canary),
        "".join(f"&#{ord(letter)};" for letter in canary),
        json.dumps(json.dumps(canary)),
        "\n".join(textwrap.wrap(base64.b64encode(raw).decode(), 7)),
        "\n".join(textwrap.wrap(raw.hex(), 9)),
    ]
    redactor = Redactor({"CANARY": canary})
    for shape in shapes:
        clean = redactor.text(f"{before} {shape} {after}")
        assert "‹CANARY›" in clean
        assert shape not in clean or shape in f"{before} ‹CANARY› {after}"


@given(canaries, st.integers(1, 7), st.sampled_from(["\n", "\r\n", "\\\n", "\n    ", "\\n"]))
def test_a_value_split_over_lines_is_found(canary: str, at: int, broken: str):
    assume(not any(each.isspace() or each == "\\" for each in canary[at - 1 : at + 1]))
    text = f"first {canary[:at]}{broken}{canary[at:]} last"
    assert Redactor({"CANARY": canary}).text(text) == "first ‹CANARY› last"
    assert envfile.redact(text, envfile.disguises([canary])) == "first [redacted] last"


@given(canaries, st.sampled_from(["hex", "HEX", "blanks", "base32", "unicode", "json", "url", "lines"]))
def test_the_agent_redacts_as_well_as_the_operator(canary: str, kind: str):
    raw = canary.encode()
    shape = {
        "hex": raw.hex(),
        "HEX": raw.hex().upper(),
        "blanks": raw.hex(" "),
        "base32": base64.b32encode(raw).decode(),
        "unicode": "".join(f"\\u{ord(letter):04X}" for letter in canary),
        "json": json.dumps(canary),
        "url": quote_plus(canary),
        "lines": "\n".join(textwrap.wrap(raw.hex(), 10)),
    }[kind]
    clean = envfile.redact(f"before {shape} after", envfile.disguises([canary]))
    assert "[redacted]" in clean
    assert shape not in clean


@given(canaries, st.text(PRINTABLE, max_size=12), st.text(PRINTABLE, max_size=12))
def test_basic_authorization_hides_the_password_wherever_it_falls(canary: str, user: str, rest: str):
    assume(canary not in user and canary not in rest)
    header = base64.b64encode(f"{user}:{canary}{rest}".encode()).decode()
    assert "‹CANARY›" in Redactor({"CANARY": canary}).text(f"Authorization: Basic {header}")


def test_a_pem_key_is_hidden_line_by_line():
    lines = [base64.b64encode(bytes([n] * 48)).decode() for n in range(3)]
    key = "\n".join(["-----BEGIN PRIVATE KEY-----", *lines, "-----END PRIVATE KEY-----"])
    redactor = Redactor({"TLS_KEY": key})
    assert redactor.text(key) == "‹TLS_KEY›"
    assert redactor.text(f"line: {lines[1]}") == "line: ‹TLS_KEY›"
    assert redactor.text("-----BEGIN PRIVATE KEY-----") == "-----BEGIN PRIVATE KEY-----"


def test_a_redactor_shows_nothing_of_itself():
    assert CANARY not in repr(Redactor({"K": CANARY}))

"""Rewrites slipway/secrets/rules.toml from gitleaks' own table of rules (MIT licence).

    go mod download -json github.com/zricethezav/gitleaks/v8@latest     # prints "Dir"
    uv run python script/secret_rules.py DIR VERSION

Only rules that know a key by its own form are taken: those that need the name of a variable beside it find
too much in source that is not secret.
"""

import json
import re
import sys
import tomllib
from pathlib import Path

TO = Path(__file__).parents[1] / "slipway" / "secrets" / "rules.toml"
NAME_BESIDE = r"[\w.-]{0,50}?"
NOT_TAKEN = frozenset(
    """airtable-personnal-access-token cloudflare-origin-ca-key curl-auth-header curl-auth-user
    easypost-test-api-token facebook-access-token flutterwave-encryption-key flutterwave-public-key
    flutterwave-secret-key freemius-secret-key gitlab-session-cookie jwt jwt-base64 kubernetes-secret-yaml
    nuget-config-password octopus-deploy-api-key sourcegraph-access-token twilio-api-key""".split()  # noqa: SIM905
)
"""Test keys, keys known by two letters or by a word beside them, and tokens that tests and manuals hold."""
NARROWED = {
    "stripe-access-token": (r"\b((?:sk|rk)_(?:live|prod)_[a-zA-Z0-9]{10,99})\b", ["k_live_", "k_prod_"]),
    "vault-service-token": (r"\b(hvs\.[\w-]{90,120})", ["hvs."]),
    # Also one without its last line, as a file that was cut has it.
    "private-key": (
        r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----\s+[A-Za-z0-9+/=\n\r\\]{40}",
        ["private key"],
    ),
}
OWN = {
    "standard-webhooks-secret": (r"\b(whsec_[0-9A-Za-z+/]{24,})", ["whsec_"], 3),
}
"""What gitleaks does not know."""
END = r"""(?:[\x60'"\s;]|\\[nr]|$)"""


def main() -> None:
    source, version = Path(sys.argv[1]) / "config" / "gitleaks.toml", sys.argv[2]
    rules = tomllib.loads(source.read_text())["rules"]
    lines = [
        "# Forms of well-known keys, from gitleaks (https://github.com/gitleaks/gitleaks), MIT licence,",
        f"# Copyright (c) 2019 Zachary Rice; version {version}. Made by script/secret_rules.py; change that.",
    ]
    table = {name: (regex, words, entropy) for name, (regex, words, entropy) in OWN.items()}
    for rule in rules:
        regex = str(rule.get("regex", ""))
        if not regex or NAME_BESIDE in regex or rule["id"] in NOT_TAKEN:
            continue
        regex, words = NARROWED.get(rule["id"], (as_python(regex), rule["keywords"]))
        table[rule["id"]] = (regex, words, rule.get("entropy", 0))
    for name, (regex, words, entropy) in sorted(table.items()):
        re.compile(regex.encode())
        lines += ["", f"[{name}]", f"regex = {json.dumps(regex)}", f"words = {json.dumps(words)}"]
        lines += [f"entropy = {entropy}"] if entropy else []
    TO.write_text("\n".join(lines) + "\n")
    print(f"{TO}: {len(table)} rules")


def as_python(regex: str) -> str:
    """Go's syntax in Python's: `(?i)` in the middle holds to the end of its group; `\\z`; `[:alnum:]`."""
    regex = regex.replace(r"\z", r"\Z").replace("[[:alnum:]]", "[A-Za-z0-9]")
    at = regex.find("(?i)", 1)
    while at > 0:
        end = _end_of_group(regex, at)
        regex = f"{regex[:at]}(?i:{regex[at + 4 : end]}){regex[end:]}"
        at = regex.find("(?i)", 1)
    return regex


def _end_of_group(regex: str, at: int) -> int:
    depth, skip, in_set = 0, False, False
    for index in range(at + 4, len(regex)):
        letter = regex[index]
        if skip:
            skip = False
        elif letter == "\\":
            skip = True
        elif in_set:
            in_set = letter != "]"
        elif letter == "[":
            in_set = True
        elif letter == "(":
            depth += 1
        elif letter == ")":
            if depth == 0:
                return index
            depth -= 1
    return len(regex)


if __name__ == "__main__":
    main()

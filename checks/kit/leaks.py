"""Finding the stack's secrets in text: here, and on a host without sending it the secrets."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable
from typing import Any

from checks.kit.hosts import Host

SHORT = 12
"""Shorter values also occur by chance."""
SEPARATORS = " \t\0\"'`=:@/,;&?|()[]{}<>\\"
"""A secret and a text are both split at these, and their pieces compared."""

_SEARCH = """
import hashlib, json, subprocess
wanted, lengths = set(json.loads('{digests}')), set(json.loads('{lengths}'))
between = str.maketrans(dict.fromkeys(json.loads(bytes.fromhex('{separators}')), ' '))
def holds(text):
    for word in set(text.translate(between).split()):
        if len(word) in lengths and hashlib.sha256(word.encode()).hexdigest() in wanted:
            return True
    return False
"""


def pieces(values: Iterable[str]) -> set[str]:
    """The pieces of secret `values` to search for: the long ones that are no host name."""
    between = f"[{re.escape(SEPARATORS)}\\s]"
    found = {piece for value in values for piece in re.split(between, value)}
    return {piece for piece in found if len(piece) >= SHORT and "." not in piece and "-----" not in piece}


def search_on(host: Host, secrets: Iterable[str], program: str) -> Any:
    """The JSON that the Python `program` prints on `host`; its `holds(text)` says if a text holds a secret.

    A command line is public on a host, so only the digests of the secrets' pieces are in it.
    """
    wanted = pieces(secrets)
    digests = json.dumps([hashlib.sha256(piece.encode()).hexdigest() for piece in sorted(wanted)])
    lengths = json.dumps(sorted({len(piece) for piece in wanted}))
    search = _SEARCH.replace("{digests}", digests).replace("{lengths}", lengths)
    search = search.replace("{separators}", json.dumps(SEPARATORS).encode().hex())
    coded = base64.b64encode((search + program).encode()).decode()
    return json.loads(host.check_output(f"python3 -c \"import base64;exec(base64.b64decode('{coded}'))\""))

"""Redis' password on AWS: ElastiCache is asked to demand it, without the value ever reaching Pulumi's state.

Whether that is still to be done is asked of Redis itself, from a host: ElastiCache's own flags do not tell
whether the token is ours.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from slipway.fleet.fleet import FleetHost
from slipway.platforms.aws.session import AwsSession
from slipway.progress import Progress
from slipway.settings.errors import NeedsPerson, SlipwayError

Strategy = Literal["ROTATE", "SET"]

CHANGE_SECONDS = 1200
"""A change of the token takes ElastiCache some minutes."""
POLL_SECONDS = 5.0

# Prints whether Redis talks to strangers, and whether it takes the token; all is said over TLS.
_PROBE = """
import json, socket, ssl, sys
asked = json.load(sys.stdin)
def say(*words):
    with socket.create_connection((asked["host"], asked["port"]), 10) as plain, \\
            ssl.create_default_context().wrap_socket(plain, server_hostname=asked["host"]) as tls:
        tls.settimeout(10)
        text = "*%d\\r\\n" % len(words) + "".join("$%d\\r\\n%s\\r\\n" % (len(word), word) for word in words)
        tls.sendall(text.encode())
        return tls.recv(200).decode(errors="replace")
open_to_all = say("PING").startswith("+PONG")
print(json.dumps({"open": open_to_all, "known": say("AUTH", asked["token"]).startswith("+OK")}))
"""


@dataclass(frozen=True)
class Door:
    """How Redis answers: to those who say nothing, and to our token."""

    open: bool
    known: bool


def steps(door: Door) -> list[Strategy]:
    """What ElastiCache is to be asked, in this order. Pure.

    ROTATE adds a token beside what was valid before; SET makes it the only way in.
    """
    if door.open:
        return ["SET"] if door.known else ["ROTATE", "SET"]
    # Another token is in use, perhaps by the live release: it must stay valid until the next one.
    return [] if door.known else ["ROTATE"]


def ensure_token(
    session: AwsSession, group: str, url: str, token: str, host: FleetHost, progress: Progress
) -> None:
    """Have the Redis at `url` (replication group `group`) take `token`, as seen from `host`.

    SlipwayError: Redis cannot be asked; NeedsPerson: ElastiCache does not come to an end.
    """
    wanted = steps(ask(host, url, token))
    for strategy in wanted:
        progress.line(f"Redis: {_TOLD[strategy]}; this takes ElastiCache some minutes")
        session.call(
            "elasticache", "modify_replication_group", ReplicationGroupId=group, AuthToken=token,
            AuthTokenUpdateStrategy=strategy, ApplyImmediately=True,
        )  # fmt: skip
        _wait(session, group)
    if wanted == ["ROTATE"]:
        progress.line("Redis: the token before stays valid too (docs/aws.md says how to end that)")


_TOLD: dict[Strategy, str] = {"ROTATE": "the token becomes valid", "SET": "the token becomes the only way in"}


def ask(host: FleetHost, url: str, token: str) -> Door:
    """How Redis answers `host`."""
    place = urlsplit(url.replace("${", "").replace("}", ""))  # the placeholder of the password is no URL
    asked = json.dumps({"host": place.hostname, "port": place.port or 6379, "token": token})
    done = host.connection.run(["python3", "-I", "-c", _PROBE], asked.encode(), timeout=60)
    if done.code != 0:
        last = (done.stderr.strip().splitlines() or ["no answer"])[-1].replace(token, "***")
        raise SlipwayError(
            f"{host.name} cannot ask Redis at {place.hostname}: {last}",
            remedy="does its security group let the hosts in? `slipway drift` compares",
        )
    said = json.loads(done.stdout)
    return Door(open=said["open"], known=said["known"])


def _wait(session: AwsSession, group: str) -> None:
    ends = time.monotonic() + CHANGE_SECONDS
    status = "unknown"
    while time.monotonic() < ends:
        found = session.call("elasticache", "describe_replication_groups", ReplicationGroupId=group)
        facts = found["ReplicationGroups"][0]
        status = facts["Status"]
        if status == "available" and not facts.get("PendingModifiedValues", {}).get("AuthTokenStatus"):
            return
        time.sleep(POLL_SECONDS)
    raise NeedsPerson(
        f"ElastiCache's {group} is still {status} after {CHANGE_SECONDS // 60} minutes",
        remedy="look at its events in the AWS console; then slipway up again",
    )

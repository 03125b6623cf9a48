"""Checks of the release on every host fail where a host serves or runs something else, whatever it notes."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.fleet.checks.breaking import Break, done, rewritten, web_env
from tests.fleet.checks.harness import Case, prove
from tests.fleet.site import Site

STATE = "/var/lib/slipway/state.json"
LIVE = "P9/all-hosts-run-the-live-release"
KEPT = "S4/the-last-release-is-kept-for-a-rollback"
CONFIG = "S8/hosts-run-the-released-configuration"
FILES = "P9/hosts-have-the-files-that-were-built"
ALL = (LIVE, KEPT, CONFIG, FILES)
SLOTS = """
of() { python3 -c "import json; print(json.load(open('/var/lib/slipway/state.json'))['active'])"; }
live=$(of); case $live in blue) idle=green; live_port=21001; idle_port=22001;; *) idle=blue; live_port=22001; idle_port=21001;; esac
ask() { echo "$1" | socat -T1 unix-connect:/run/haproxy/admin.sock - ; }
build=/srv/slipway/slots/$live
"""  # noqa: E501 - a shell's line
MAP = "/etc/haproxy/slots.map"


def state(change: Callable[[dict[str, object]], object]) -> Break:
    """The worker's state file with every slot changed."""

    def changed(text: str) -> str:
        document = json.loads(text)
        for slot in document["slots"].values():
            change(slot)
        return json.dumps(document)

    return lambda site: rewritten(site, "worker1", STATE, changed)


def restate(slot: dict[str, object], was: str, **changes: object) -> None:
    if slot["state"] == was:
        slot.update(changes)


def host(name: str, what: str, undo: str) -> Break:
    """Lines with `$live` and `$idle`, the slots by the agent's record, `$build`, and `ask` for HAProxy."""
    return done(name, f"set -e; {SLOTS}{what}", f"{SLOTS}{undo}")


def restarted(name: str, process: str, change: str, undo: str, then: str = "true") -> Break:
    """The live slot's process restarted after `change`, and after `undo`; `then` comes after the first."""
    unit = f"slipway-{process}@$live-1"
    ready = f'for i in $(seq 100); do systemctl is-active -q {unit} && [ -n "$(ls /run/slipway/ready/{unit}.service 2>/dev/null)" -o {process} = web ] && break; sleep 0.1; done; sleep 2'  # noqa: E501 - a shell's line
    return host(name, f"{change}; systemctl daemon-reload; systemctl restart {unit}; {ready}; {then}",
                f"{undo}; systemctl daemon-reload; systemctl restart {unit}; {ready}")  # fmt: skip


DROP_IN = "/run/systemd/system/slipway-worker@.service.d"
WARM = "[ $live = blue ] && warm=green || warm=blue; f=/etc/slipway/env/$warm/web.env"
PLACE = f"mkdir -p {DROP_IN}; printf '[Service]\\nEnvironment=%s\\n' "

CASES = (
    Case(
        "a web host whose map was switched by hand",
        host("web2", f"ask 'set map {MAP} active '$idle", f"ask 'set map {MAP} active '$live"),
        red=(LIVE,),
        run=ALL,
        says="web2 serves release",
    ),
    Case(
        "a web host that switches when HAProxy restarts",
        host(
            "web1", f'sed -i "s/^active .*/active $idle/" {MAP}', f'sed -i "s/^active .*/active $live/" {MAP}'
        ),
        red=(LIVE,),
        run=ALL,
        says="after a restart",
    ),
    Case(
        "a server that leads to the other slot",
        host(
            "web2",
            'ask "set server slot_$live/$live-1 addr 127.0.0.1 port $idle_port"',
            'ask "set server slot_$live/$live-1 addr 127.0.0.1 port $live_port"',
        ),
        red=(LIVE,),
        run=ALL,
        says="web2 serves release",
    ),
    Case(
        "a rule before the map",
        host(
            "web1",
            "cp -p /etc/haproxy/haproxy.cfg /root/kept; "
            'sed -i "0,/    use_backend last_/s//    use_backend slot_$idle\\n&/" /etc/haproxy/haproxy.cfg; '
            "systemctl reload haproxy; sleep 1",
            "cat /root/kept > /etc/haproxy/haproxy.cfg; systemctl reload haproxy; sleep 1",
        ),
        red=(LIVE,),
        run=ALL,
        says="web1 sent a request to",
    ),
    Case(
        "another program behind the live slot",
        host(
            "web2",
            "systemctl stop slipway-web@$live-1; "
            "systemd-run -q --unit loose-server python3 -m http.server $live_port --bind 127.0.0.1; sleep 1",
            "systemctl stop loose-server; systemctl reset-failed loose-server 2>/dev/null; "
            "systemctl start slipway-web@$live-1; "
            "for i in $(seq 200); do curl -sf -o /dev/null http://127.0.0.1:$live_port/ready && exit 0; "
            "sleep 0.1; done",
        ),
        red=(LIVE,),
        run=(LIVE, KEPT, FILES),
        says="no process of the app",
    ),
    Case(
        "two releases of the worker at once",
        host(
            "worker1",
            "systemctl start slipway-worker@$idle-1; sleep 1",
            "systemctl stop slipway-worker@$idle-1",
        ),
        red=(LIVE,),
        run=ALL,
        says="also runs release",
    ),
    Case(
        "a worker that does not run",
        host(
            "worker1",
            "systemctl stop slipway-worker@$live-1",
            "systemctl start slipway-worker@$live-1; sleep 3",
        ),
        red=(LIVE,),
        run=ALL,
        says="0 of 1 instances",
    ),
    Case(
        "a host that notes another release",
        state(lambda slot: restate(slot, "live", release=1)),
        red=(LIVE,),
        run=(LIVE, CONFIG, KEPT),
        says="worker1",
    ),
    Case(
        "a configuration that was not released",
        state(lambda slot: restate(slot, "live", config="by-hand")),
        red=(CONFIG,),
        run=ALL,
        says="by-hand",
    ),
    Case(
        "an env file that was edited and not yet read",
        host(
            "web1",
            "f=/etc/slipway/env/$live/web.env; cp -p $f /root/kept; "
            "sed -i 's/^LOG_LEVEL=.*/LOG_LEVEL=\"debug\"/' $f",
            "cat /root/kept > /etc/slipway/env/$live/web.env; rm /root/kept",
        ),
        red=(CONFIG,),
        run=ALL,
        says="LOG_LEVEL",
    ),
    Case(
        "an env file of the release that is kept for a rollback",
        host(
            "web2",
            f"{WARM}; cp -p $f /root/kept; sed -i 's/^LOG_LEVEL=.*/LOG_LEVEL=\"debug\"/' $f",
            f"{WARM}; cat /root/kept > $f; rm /root/kept",
        ),
        red=(CONFIG,),
        run=ALL,
        says="LOG_LEVEL",
    ),
    Case(
        "processes with another value than their file",
        restarted(
            "worker1",
            "worker",
            "f=/etc/slipway/env/$live/worker.env; cp -p $f /root/kept; "
            "sed -i 's/^DATABASE_POOL_SIZE=.*/DATABASE_POOL_SIZE=\"3\"/' $f",
            "cat /root/kept > /etc/slipway/env/$live/worker.env; rm /root/kept",
            then="cat /root/kept > $f",
        ),
        red=(CONFIG,),
        run=ALL,
        says="DATABASE_POOL_SIZE",
    ),
    Case(
        "web hosts with another value than was released",
        web_env(WS_MESSAGE_LIMIT="1000"),
        red=(CONFIG,),
        run=ALL,
        says="WS_MESSAGE_LIMIT",
    ),
    Case(
        "a variable in a drop-in of the unit",
        restarted(
            "worker1", "worker", f"{PLACE} NODE_OPTIONS=--inspect > {DROP_IN}/zz.conf", f"rm -r {DROP_IN}"
        ),
        red=(CONFIG,),
        run=ALL,
        says="NODE_OPTIONS",
    ),
    Case(
        "no release noted for a rollback",
        state(lambda slot: restate(slot, "warm", state="empty")),
        red=(KEPT,),
        run=ALL,
        says="worker1",
    ),
    Case(
        "a release that is noted as warm and is not there",
        host(
            "web1",
            "systemctl stop slipway-web@$idle-1; sleep 1",
            "systemctl start slipway-web@$idle-1; sleep 3",
        ),
        red=(KEPT,),
        run=ALL,
        says="web1",
    ),
    Case(
        "a file of the build that was changed",
        host(
            "web2",
            "f=$build/src/web.ts; cp -p $f /root/kept; { cat /root/kept; echo '// and more'; } > $f",
            "cat /root/kept > $build/src/web.ts; touch -r /root/kept $build/src/web.ts",
        ),
        red=(FILES,),
        run=ALL,
        says="web2: src/web.ts",
    ),
    Case(
        "a file that was planted in the build",
        host("web1", "echo hello > $build/public/shell.html", "rm $build/public/shell.html"),
        red=(FILES,),
        run=ALL,
        says="public/shell.html",
    ),
    Case(
        "a file of the build that is hidden by a mount",
        host(
            "worker1",
            "echo 'export {}' > /root/other.ts; mount --bind /root/other.ts $build/src/worker.ts",
            "umount $build/src/worker.ts; rm /root/other.ts",
        ),
        red=(FILES,),
        run=ALL,
        says="src/worker.ts",
    ),
    Case(
        "a program of the runtime that is gone",
        host("worker1", "mv $build/package.json /root/", "mv /root/package.json $build/"),
        red=(FILES,),
        run=ALL,
        says="package.json",
    ),
)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_check_fails(whole: Site, case: Case) -> None:
    prove(whole, case)

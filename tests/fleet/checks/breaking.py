"""Ways to break a live host. Each is undone, whatever happens."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from slipway.stack import LiveStack
from tests.fleet.site import Site

Break = Callable[[Site], AbstractContextManager[object]]

EDGE = "/etc/haproxy/haproxy.cfg"
HERE = "    acl our_name "
"""Before this line of the edge's configuration: after the headers, before what is denied."""
RELOAD = """
pid() { echo show info | socat -T1 unix-connect:/run/haproxy/admin.sock - | sed -n 's/^Pid: //p'; }
haproxy -c -q -f /etc/haproxy/haproxy.cfg || exit 1
systemctl reset-failed haproxy; was=$(pid); systemctl reload haproxy || exit 1
for i in $(seq 100); do now=$(pid); [ -n "$now" ] && [ "$now" != "$was" ] && exit 0; sleep 0.05; done; exit 2
"""


def on(site: Site, host: str, script: str, stdin: str | None = None) -> str:
    """What `script` prints on `host`, as root. Raises AssertionError with its output if it fails."""
    argv = ["docker", "exec", "-i", site.container(host), "sh", "-c", script]
    done = subprocess.run(argv, input=stdin or "", capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{host}: {script[:200]}\n{done.stdout}{done.stderr}"
    return done.stdout


FAILED_CRON = """
for i in $(seq 60); do
    failed=$(systemctl list-units --state=failed,activating --plain --no-legend 'slipway-cron-*.service' |
        cut -d' ' -f1)
    [ -n "$failed" ] || exit 0
    systemctl reset-failed $failed; systemctl start $failed || sleep 1
done; exit 1
"""


def run_failed_cron_again(site: Site) -> None:
    """Let no cron entry remain failed that came due while something was broken."""
    for host in site.outputs.by_role("web"):
        on(site, host.name, FAILED_CRON)


@contextmanager
def rewritten(
    site: Site, host: str, path: str, change: Callable[[str], str], then: str = "true"
) -> Generator[None]:
    """The file with another content; `then` is run after it was changed and after it is back."""
    before = on(site, host, f"cat {path}")
    after = change(before)
    assert after != before, f"{path} is not changed"
    try:
        on(site, host, f"cat > {path} && {{ {then}\n}}", after)
        yield
    finally:
        on(site, host, f"cat > {path} && {{ {then}\n}}", before)


def done(host: str, script: str, undo: str) -> Break:
    """`script` on `host`, and `undo` afterwards."""

    @contextmanager
    def broken(site: Site) -> Generator[None]:
        try:
            on(site, host, script)
            yield
        finally:
            on(site, host, undo)

    return broken


def file(host: str, path: str, pattern: str, new: str, then: str = "true") -> Break:
    """The file with every match of `pattern` replaced."""
    return lambda site: rewritten(
        site, host, path, lambda text: re.sub(pattern, lambda _: new, text, flags=re.MULTILINE), then
    )


def edge(*lines: str, drop: str = "", swap: tuple[str, str] | None = None, at: str = HERE) -> Break:
    """The edge with `lines` added, those that match `drop` taken out, a text swapped."""

    def change(text: str) -> str:
        if drop:
            text = "\n".join(line for line in text.split("\n") if not re.search(drop, line))
        if swap:
            assert swap[0] in text, swap[0]
            text = text.replace(*swap)
        # A body may come after its headers: without this, a rule on it sometimes sees none.
        wait = "    http-request wait-for-body time 2s\n" if any("req.body" in line for line in lines) else ""
        added = wait + "".join(f"    {line}\n" for line in lines)
        assert at in text, at
        return text.replace(at, f"{added}{at}", 1)

    return lambda site: rewritten(site, "edge", EDGE, change, RELOAD)


def header(name: str, value: str, condition: str = "") -> str:
    return f'http-after-response set-header {name} "{value}"' + (f" if {condition}" if condition else "")


def without(name: str, condition: str = "") -> str:
    return f"http-after-response del-header {name}" + (f" if {condition}" if condition else "")


def uploads(*lines: str) -> Break:
    """The edge with `lines` in its frontend of the uploads bucket."""
    return edge(*lines, at="    http-request deny deny_status 404 unless { path_beg /")


def answered(status: int, body: str, condition: str, kind: str = "application/json", *headers: str) -> str:
    """A line that makes the edge answer by itself."""
    text = body.replace("\\", "\\\\").replace("'", "").replace(" ", "\\ ").replace('"', '\\"')
    more = "".join(f" hdr {name} {value}" for name, value in (each.split(": ") for each in headers))
    return f"http-request return status {status} content-type {kind}{more} string {text} if {condition}"


def together(*breaks: Break) -> Break:
    """Several breaks at once."""

    @contextmanager
    def broken(site: Site) -> Generator[None]:
        with ExitStack() as stack:
            for each in breaks:
                stack.enter_context(each(site))
            yield

    return broken


@contextmanager
def local_file(site: Site, name: str, change: Callable[[str], str]) -> Generator[None]:
    """A file of the project, on this machine."""
    path = site.root / name
    before = path.read_text() if path.exists() else None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(change(before or ""))
        yield
    finally:
        path.unlink() if before is None else path.write_text(before)


def settings(pattern: str, new: str, name: str = "board/slipway.toml") -> Break:
    """A setting of the project changed."""

    def change(text: str) -> str:
        changed = re.sub(pattern, lambda _: new, text, count=1, flags=re.MULTILINE)
        assert changed != text, pattern
        return changed

    return lambda site: local_file(site, name, change)


def wait_until(what: str, good: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until `good` returns true."""
    ends = time.monotonic() + seconds
    while not good():
        assert time.monotonic() < ends, f"{what}: not within {seconds:g} s"
        time.sleep(0.1)


_WEB = """set -e
slot=$(python3 -c 'import json; print(json.load(open("/var/lib/slipway/state.json"))["active"])')
case $slot in blue) port=21001 ;; *) port=22001 ;; esac
{change}
systemctl restart slipway-web@$slot-1
for i in $(seq 200); do curl -sf -o /dev/null http://127.0.0.1:$port/ready && exit 0; sleep 0.1; done; exit 3
"""


def web_env(**values: str) -> Break:
    """The web processes with other values in their environment, restarted host by host."""
    edits = "".join(f"sed -i 's|^{name}=.*|{name}=\"{value}\"|' $file\n" for name, value in values.items())
    return _web_file("/etc/slipway/env/$slot/web.env", edits)


def web_source(path: str, old: str, new: str) -> Break:
    """The web processes with a text of their source changed, restarted host by host."""
    return _web_file(
        f"/srv/slipway/slots/$slot/{path}", f"grep -q '{old}' $file; sed -i 's#{old}#{new}#' $file\n"
    )


def _web_file(path: str, edits: str) -> Break:
    @contextmanager
    def broken(site: Site) -> Generator[None]:
        webs = [host.name for host in site.outputs.by_role("web")]
        try:
            for host in webs:
                on(site, host, _WEB.replace("{change}", f"file={path}; cp -p $file /root/kept\n{edits}"))
            site.wait_until_healthy()
            yield
        finally:
            for host in webs:
                on(site, host, _WEB.replace("{change}", f"mv /root/kept {path}"))
            site.wait_until_healthy()

    return broken


def with_secret(then: Callable[[str], Break]) -> Break:
    """Something done with one of the stack's secrets."""

    @contextmanager
    def broken(site: Site) -> Generator[None]:
        with then(LiveStack(site.project).secrets["WEBHOOK_SECRET"])(site):
            yield

    return broken


def sql(what: str, undo: str) -> Break:
    """Statements as the superuser, and those that undo them; `{name}` is the database's name."""

    @contextmanager
    def broken(site: Site) -> Generator[None]:
        name = site.outputs.database.name if site.outputs.database else ""

        def run(statements: str) -> None:
            each = "".join(f"{part.strip()};\n" for part in statements.replace("{name}", name).split(";"))
            psql = f"cd / && runuser -u postgres -- psql -X -q -v ON_ERROR_STOP=1 -d {name}"
            on(site, "data1", psql, each)

        try:
            run(what)
            yield
        finally:
            run(undo)

    return broken

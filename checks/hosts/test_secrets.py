"""Secrets on hosts: files, command lines, logs, environments (I9, P8, X13)."""

from __future__ import annotations

from checks.kit.check import check, not_evaluated
from checks.kit.hosts import Host, live_slot
from checks.kit.leaks import SHORT, pieces, search_on
from slipway.stack import LiveStack, Role


@check(
    "I9",
    severity="critical",
    asvs="13.3.1",
    standard="Lynis FILE-7524",
    why="any account on the host could read the app's secrets",
    remedy="slipway release writes them 0600, root; what changed the mode?",
    roles=("web", "worker"),
)
def test_only_root_can_read_env_files(host: Host, role: Role, live: LiveStack) -> None:
    # find: testinfra's file() reads one path at a time, and this is a tree.
    listed = host.check_output(r"find /etc/slipway/env /etc/slipway/host.json -printf '%U %m %p\n'")
    found = [line.split(" ", 2) for line in listed.splitlines()]
    loose = [path for owner, mode, path in found if owner != "0" or int(mode, 8) & 0o077]
    assert not loose, f"readable or writable by others: {', '.join(loose[:5])}"
    if live.app.on_role(role) and live.release is not None:
        assert any(path.endswith(".env") for _, _, path in found), "there is no env file at all"


@check(
    "I9",
    severity="critical",
    asvs="13.3.1",
    why="the private key of a service is worth as much as a password",
    remedy="slipway up places them 0600 or 0640 for the service's own group",
)
def test_only_their_service_can_read_private_keys(host: Host) -> None:
    keys = "-name '*key*' -not -name '*.pub' -type f -perm /007"
    # find: testinfra's file() reads one path at a time, and these are trees.
    loose = host.run(f"find /etc/slipway /etc/haproxy /etc/ssh {keys}").stdout.split()
    assert not loose, f"readable by every account: {', '.join(loose[:5])}"


@check(
    "I9",
    "P8",
    severity="critical",
    asvs="13.3.1",
    why="every account on the host can read command lines",
    remedy="pass secrets by environment or standard input",
)
def test_no_command_line_holds_a_secret(host: Host, live: LiveStack) -> None:
    wanted = pieces(live.secrets.values())
    found = [each.comm for each in host.process.filter() if wanted & pieces([each.args])]
    assert not found, f"the command lines of {len(found)} processes hold a secret: {found[0]} …"


@check(
    "P8",
    "X13",
    severity="critical",
    asvs="16.2.5",
    why="logs are copied to places that are not protected like a secret store",
    remedy="log ids, never bodies, headers and URLs with credentials",
)
def test_no_log_holds_a_secret(host: Host, live: LiveStack) -> None:
    program = """
asked = ['journalctl', '--no-pager', '-o', 'cat', '-n', '20000']
log = subprocess.run(asked, capture_output=True, errors='replace', text=True)
lines = [line[:60] for line in set(log.stdout.splitlines()) if holds(line)]
print(json.dumps(len(lines)))
"""
    found = search_on(host, live.secrets.values(), program)
    assert not found, f"{found} lines of the newest 20,000 hold a secret"


@check(
    "I9",
    "I7",
    severity="high",
    asvs="13.3.2",
    why="a compromised process gives away every secret it has, needed or not",
    remedy="scope = […] in [env] of slipway.toml",
    roles=("worker",),
)
def test_a_worker_has_no_secret_of_the_web(host: Host, live: LiveStack) -> None:
    app = live.app
    web_only = [name for name, var in app.env.items() if var.secret and var.scope == ["web"]]
    if not web_only:
        not_evaluated("no secret of slipway.toml is for the web process alone")
    # cut on the host: with file().content the values would come to this machine.
    # The live slot only: the warm one keeps the env of its own, older release.
    names = host.run("cut -d= -f1 /etc/slipway/env/%s/worker.env", live_slot(host)).stdout.split()
    held = sorted(set(names) & set(web_only))
    assert not held, f"the worker's environment holds {', '.join(held)}"


@check(
    "I8",
    "P4",
    severity="critical",
    asvs="13.3.1",
    why="if two services share a secret, one leak compromises both",
    remedy="slipway secrets check lists the shared ones; slipway secrets generate makes new values",
)
def test_no_secret_is_shared_or_weak(live: LiveStack) -> None:
    short = [
        name
        for name, var in live.app.env.items()
        if var.secret and name in live.secrets and len(live.secrets[name]) < max(var.min_length, 1)
    ]
    assert not short, f"shorter than min_length in slipway.toml: {', '.join(short)}"
    by_value: dict[str, list[str]] = {}
    for name, value in live.secrets.items():
        if len(value) >= SHORT:
            by_value.setdefault(value, []).append(name)
    twins = [names for names in by_value.values() if len(names) > 1]
    assert not twins, f"the same value: {' and '.join(twins[0])}"


@check(
    "P6",
    severity="high",
    why="test keys charge no one in production, and live keys charge real customers in a preview",
    remedy="stack_pattern in [env] of slipway.toml; slipway secrets set NAME",
)
def test_keys_are_of_this_stacks_kind(live: LiveStack) -> None:
    wrong = [
        f"{name}: {problem}"
        for name, var in live.app.env.items()
        if var.secret and name in live.secrets
        for problem in live.secret_problems(name)
    ]
    assert not wrong, "; ".join(wrong)

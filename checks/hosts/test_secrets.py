"""Secrets on hosts: files, command lines, logs, environments (I9, P8, X13)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from checks.kit.background import Background, begun_early
from checks.kit.check import check, could_not_be_tried, not_evaluated
from checks.kit.hosts import Host, live_slot, name_of
from checks.kit.leaks import SHORT, Sought, new_salt, search
from slipway.stack import BadInput, LiveStack, Role

KITS_OWN = re.compile(
    r"/etc/slipway/(host\.json|s3/root\.env|s3/buckets\.json|env/(blue|green)/[a-z0-9-]+\.env)"
    r"|/var/lib/versitygw/iam/users\.json"
)
"""Where the kit puts secrets."""
PRIVATE_KEYS = re.compile(
    r"/etc/haproxy/(site|web|acme)\.pem|/etc/slipway/acme(\.key|-cloudflare\.token)|/etc/slipway/redis-tls\.pem|/var/lib/slipway/certificate/issued\.pem"
    r"|/etc/slipway/(postgresql|pgbouncer|s3)/server\.key|/etc/ssh/ssh_host_\w+_key"
    r"|/etc/ssl/private/ssl-cert-snakeoil\.key"
)
"""Where the kit and Debian put private keys."""


@dataclass(frozen=True)
class Searched:
    """What was found on all hosts, and what was sought."""

    hosts: Mapping[str, Any]
    failed: Mapping[str, Exception]
    sought: Sought
    salt: str
    variables: frozenset[str]

    def on(self, host: Host) -> Any:
        """What was found on `host`."""
        if error := self.failed.get(name_of(host)):
            raise error
        return self.hosts[name_of(host)]

    def expected(self, env: Mapping[str, str]) -> dict[str, str]:
        """Digests, as the hosts give them, of the secrets in the env of a process."""
        return {
            name: hashlib.sha256(self.salt.encode() + env[name].encode()).hexdigest()
            for name in sorted(self.variables & env.keys())
        }


@begun_early
def searched(live: LiveStack) -> Searched:
    """Files, logs, units and processes of every host, searched for secrets by one command a host."""
    values = {**live.secrets, **live.private_keys()}
    variables = frozenset(name for name, var in live.app.env.items() if var.secret or var.source)
    salt = new_salt()
    return Searched(*search(live, values, variables, salt), Sought.of(values), salt, variables)


def _processes(background: Background, host: Host, where: str) -> list[str]:
    result = background.result(searched)
    found = result.on(host)["processes"]
    return [
        f"{each['name']}: {result.sought.named(each['secrets'])}" for each in found if each["where"] == where
    ]


@check(
    "I9",
    severity="critical",
    asvs="13.3.1",
    standard="Lynis FILE-7524",
    why="any account on the host could read the app's secrets",
    remedy="slipway release writes them 0600, root; what changed the mode?",
    roles=("web", "worker"),
)
def test_only_root_can_read_env_files(host: Host, roles: tuple[Role, ...], live: LiveStack) -> None:
    # find: testinfra's file() reads one path at a time, and this is a tree.
    listed = host.check_output(r"find /etc/slipway/env /etc/slipway/host.json -printf '%U %m %p\n'")
    found = [line.split(" ", 2) for line in listed.splitlines()]
    loose = [path for owner, mode, path in found if owner != "0" or int(mode, 8) & 0o077]
    assert not loose, f"readable or writable by others: {', '.join(loose[:5])}"
    if live.app.on_role(*roles) and live.release is not None:
        assert any(path.endswith(".env") for _, _, path in found), "there is no env file at all"


@check(
    "I9",
    severity="critical",
    asvs="13.3.1",
    standard="Lynis FILE-7524",
    why="a copy of a secret in another file outlives its replacement, and is protected by no one",
    remedy="delete the file, and replace the secret: slipway secrets generate --rotate NAME, or set NAME",
    waits_for=(searched,),
)
def test_only_their_own_files_hold_secrets(background: Background, host: Host) -> None:
    wrong: list[str] = []
    for each in background.result(searched).on(host)["files"]:
        path, mode = each["path"], int(each["mode"], 8)
        names = background.result(searched).sought.named(each["secrets"])
        if each["secrets"] and not (KITS_OWN.fullmatch(path) or PRIVATE_KEYS.fullmatch(path)):
            wrong.append(f"{path} holds {names}")
        elif each["secrets"] and mode & 0o007:
            wrong.append(f"{path} holds {names}, and every account may read it (mode {each['mode']})")
        wrong += [f"{path} holds {kind}" for kind in each["known"]]
    assert not wrong, "; ".join(wrong)


@check(
    "I9",
    severity="critical",
    asvs="13.3.1",
    why="the private key of a service is worth as much as a password",
    remedy="slipway up places them 0600, or 0640 for the service's own group; delete any other copy",
    waits_for=(searched,),
)
def test_only_their_service_can_read_private_keys(background: Background, host: Host) -> None:
    wrong: list[str] = []
    for each in background.result(searched).on(host)["files"]:
        if each["key"] and int(each["mode"], 8) & 0o007:
            wrong.append(f"{each['path']} is readable by every account (mode {each['mode']})")
        elif each["key"] and not PRIVATE_KEYS.fullmatch(each["path"]):
            wrong.append(f"{each['path']} is a private key that does not belong here")
    assert not wrong, "; ".join(wrong)


@check(
    "I9",
    "P8",
    severity="critical",
    asvs="13.3.1",
    why="every account on the host can read command lines",
    remedy="pass secrets by environment or standard input",
    waits_for=(searched,),
)
def test_no_command_line_holds_a_secret(background: Background, host: Host) -> None:
    found = _processes(background, host, "command line")
    assert not found, f"the command lines of {len(found)} processes hold a secret: {'; '.join(found)}"


@check(
    "I9",
    severity="critical",
    asvs="13.3.2",
    why="every account may ask systemd for a unit's Environment=, and a process hands its environment on",
    remedy="EnvironmentFile= with mode 0600 for the one process that needs it; restart what has it",
    waits_for=(searched,),
)
def test_no_foreign_environment_holds_a_secret(background: Background, host: Host) -> None:
    found = _processes(background, host, "environment")
    result = background.result(searched)
    units = result.on(host)["units"].items()
    found += [f"Environment= of {unit}: {result.sought.named(held)}" for unit, held in units]
    assert not found, "; ".join(found)


@check(
    "P8",
    "X13",
    severity="critical",
    asvs="16.2.5",
    why="logs are copied to places that are not protected like a secret store",
    remedy="log ids, never bodies, headers or URLs with credentials; journalctl --rotate --vacuum-time=1s",
    waits_for=(searched,),
)
def test_no_log_holds_a_secret(background: Background, host: Host) -> None:
    result = background.result(searched)
    found = result.on(host)["logs"]
    names = result.sought.named(found["secrets"])
    assert not found["lines"], f"{found['lines']} lines of the newest 20,000 hold a secret: {names}"
    assert not found["known"], f"the newest 20,000 lines hold {', '.join(found['known'])}"


@check(
    "I9",
    "S8",
    severity="medium",
    asvs="13.3.4",
    why="a secret that was replaced in the store and not released still opens what it opened before",
    remedy="slipway release brings the store's values to the processes",
    roles=("web", "worker"),
    waits_for=(searched,),
)
def test_processes_run_with_the_secrets_of_the_store(
    background: Background, host: Host, live: LiveStack
) -> None:
    result = background.result(searched)
    running = result.on(host)["app"]
    slot = live_slot(host)
    wrong: set[str] = set()
    for unit, values in running.items():
        process = re.fullmatch(rf"slipway-([a-z0-9-]+)@{slot}-\d+\.service", unit)
        if process and process[1] in live.app.processes:
            try:
                wanted = result.expected(live.env(process[1]))
            except BadInput as error:
                could_not_be_tried(error.message, "P6/keys-are-of-this-stacks-kind")
            wrong |= {f"{unit}: {name}" for name in wanted if values.get(name) != wanted[name]}
    assert not wrong, f"other values than the store's: {'; '.join(sorted(wrong))}"


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
    secret = {name: var.scope for name, var in live.app.env.items() if var.secret and var.scope}
    foreign = {
        process: {name for name, scope in secret.items() if process not in scope}
        for process in live.app.on_role("worker")
    }
    if not any(foreign.values()):
        not_evaluated("no secret of slipway.toml is for other processes than the workers' (env.NAME.scope)")
    # The live slot only: the warm one keeps the env of its older release.
    slot = live_slot(host)
    if not slot:
        not_evaluated("nothing was released yet: slipway release")
    for process, names in foreign.items():
        # cut on the host: with file().content the values would come to this machine.
        listed = host.check_output("cut -d= -f1 %s", f"/etc/slipway/env/{slot}/{process}.env").split()
        held = sorted({*listed} & names)
        assert not held, f"the environment of {process} holds {', '.join(held)}"


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
    weak = live.weak_secrets()
    assert not weak, "; ".join(weak)


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

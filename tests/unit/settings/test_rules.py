from __future__ import annotations

import pytest

from slipway.settings import App
from tests.unit.settings.conftest import SMALL, Load, Wrong

WORKER = 'name = "w"\nruntime = { name = "none" }\n[processes.mailer]\ncommand = "./mailer"\n'
STEP = "[[smoke.steps]]\nname = 'first'\nrequest = "
CRON_SECRET = 'CRON_SECRET = { secret = true, generate = "base64:32" }\n'

CASES = {
    # checks
    "[env]\nMAIL = { value = 'a@b.c', scope = ['smoke'] }\n[checks.other_user]\nMAIL = 'OTHER'": (
        "checks.other_user.MAIL: OTHER is no entry of [env] with the scope smoke"
    ),
    # runtime, build, migrate
    "[build]\ncontext = 'nowhere'": "build.context: there is no folder",
    "[build]\ninclude = ['../secrets/**']": "build.include[0]: must stay inside the build's context",
    "[build]\nexclude = ['/etc']": "build.exclude[0]: must stay inside",
    "directory = '../other'": "processes.web.directory: must stay inside",
    "[migrate]\ncommand = 'm'\nfiles = '../../*.sql'": "migrate.files: must stay inside",
    "[migrate]\ncommand = 'm'\nfiles = 'migrations'": "migrate.files: must name .sql files",
    "[build.deps]\ncommand = 'i'\ninputs = ['a']": "build.deps.paths: is required",
    "[build.deps]\ncommand = 'i'\npaths = ['a']": "build.deps.inputs: is required",
    "[build.deps]\npaths = ['node_modules']": "build.deps.paths: has no meaning without",
    # processes and cron
    "role = 'worker'": "processes.web.role: must be web",
    "overlap = true": "processes.web.overlap: is for workers",
    "[processes.migrate]\ncommand = 'x'": 'processes.migrate: "migrate" cannot be the name of a process',
    "[processes.jobs]\ncommand = 'x'\nready = '/r'": "processes.jobs.ready: is only for the process named",
    "health = '/metrics'": "private_paths[1]: must not contain processes.web.health",
    "[cron.c]\nschedule = 'daily'\npath = '/c'": "cron.c.secret: CRON_SECRET must be a secret of the env",
    "[cron.c]\nschedule = '*/5 * * * *'\ncommand = 'x'": "cron.c.schedule: must be a systemd calendar time",
    "[env]\nCRON_SECRET = { secret = true, scope = ['cron'] }\n[cron.c]\nschedule = 'daily'\npath = '/c'": (
        'env.CRON_SECRET.scope: must hold "web"'
    ),
    "[retire]\nhold_seconds = 5": "retire.hold_seconds: must be at least observe.window_seconds (10), got 5",
    # env
    "[env]\nPORT = { value = '80' }": "env.PORT: is set by the host",
    "[env]\nSLIPWAY_X = { value = '80' }": "env.SLIPWAY_X: names that begin with SLIPWAY_",
    "[env]\nVITE_KEY = { secret = true }": "env.VITE_KEY: must not be a secret: VITE_ is a client prefix",
    "[env]\nVITE_DB = { from = 'database.url' }": 'env.VITE_DB.from: must not be "database.url"',
    "[env]\nDB = { from = 'redis.url', client = true }": 'env.DB.from: must not be "redis.url"',
    "[env]\nVITE_URL = { value = 'x' }": "env.VITE_URL: must have client = true",
    "[env]\nX = { value = 'x', scope = ['wbe'] }": 'env.X.scope[0]: there is no process or scope "wbe"',
    "[env]\nX = { from = 'database.uri' }": 'env.X.from: is not a stack output, got "database.uri"',
    "[env]\nX = { value = 'x', generate = 'hex:32' }": "env.X.generate: needs secret = true",
    "[env]\nX = { secret = true, generate = 'hex:4' }": "env.X.generate: must be 16 to 1024 bytes, got 4",
    "[env]\nX = { secret = true, generate = 'hex:16', min_length = 40 }": "env.X.generate: makes 32",
    "[env]\nX = { secret = true, pattern = '(' }": "env.X.pattern: is not a regular expression",
    "[env]\nX = { secret = true, stack_pattern = { Prod = 'a' } }": "env.X.stack_pattern.Prod: must be the",
    "[env]\nX = { value = 'ten', kind = 'integer' }": "env.X.value: must be a whole number",
    "[env]\nX = { value = 'yes', kind = 'boolean' }": "env.X.value: must be true, false, 1 or 0",
    "[env]\nX = { value = 'example.com', kind = 'url' }": "env.X.value: must be a URL",
    "[env]\nX = { value = 'b', pattern = 'a+' }": "env.X.value: must match a+",
    # smoke, websocket, load
    STEP + "'GET /${id}'": "smoke.steps[0].request: nothing fills ${id}",
    STEP + "'GET /'\njson = { a = ['${X}'] }\n[env]\nX = { value = 'x' }": (
        "smoke.steps[0].json: ${X} is not in scope smoke"
    ),
    STEP + "'GET /${id}'\n[[smoke.steps]]\nname = 'b'\nrequest = 'GET /'\ncapture = { id = 'id' }": (
        'smoke.steps[0].request: ${id} is captured only by "b"'
    ),
    STEP + "'GET /'\n" + STEP + "'GET /'": 'smoke.steps[1].name: "first" is also the name of an earlier step',
    STEP + "'HEAD /'\ncontains = 'x'": "smoke.steps[0].request: HEAD has no response body",
    STEP + "'GET /'\nstatus = 20": "smoke.steps[0].status: must be an HTTP status",
    "[websocket]\nopen = ['${token}']": "websocket.open[0]: nothing fills ${token}",
    "[websocket]\necho = 'ping'": "websocket.echo: must contain ${n}",
    "[websocket]\npath = '/metrics'": "websocket.path: must not be among private_paths",
    "[websocket]\nclose_codes = [99]": "websocket.close_codes[0]: must be 1000 to 4999",
    "[load]\npaths = ['/metrics']": 'load.paths[0]: "/metrics" is a private path',
    "[load]\npaths = []": "load.paths: must name at least one path",
    "[checks]\naccepted = { X2 = 'why, until 2027-01-31' }": "checks.accepted.X2: must be the whole id of",
    "[checks]\naccepted = { 'X2/a' = 'why' }": 'checks.accepted."X2/a": must be a reason and a date, got',
    "[checks]\naccepted = { 'X2/a' = ', until 2027-01-31' }": 'checks.accepted."X2/a": must be a reason',
    "[checks]\naccepted = { 'X2/a' = 'why, until 2027-02-31' }": "checks.accepted: X2/a: there is no day",
    "[[load.thresholds]]\nkind = 'HTTP'": "load.thresholds[0]: give at least one of p50_ms",
    "[[load.thresholds]]\nkind = 'HTTP'\np95 = 3": "load.thresholds[0].p95: unknown key",
    "[[load.thresholds]]\nkind = 'HTTP'\np95_ms = 3\n[[load.thresholds]]\nkind = 'HTTP'\np50_ms = 3": (
        'load.thresholds[1].kind: "HTTP" has a threshold already'
    ),
    "[[load.thresholds]]\nkind = 'WS echo'\np95_ms = 3": "load.thresholds[0].kind: needs [websocket]",
    "[load.profiles.marathon]\nseconds = 5": "load.profiles.marathon: must be",
}


@pytest.mark.parametrize("more", CASES, ids=list(CASES.values()))
def test_what_cannot_work_is_refused_at_its_key(wrong: Wrong, more: str):
    found = wrong(more + "\n")
    assert len(found) == 1, found
    assert found[0].split(" ", 1)[1].startswith(CASES[more])


@pytest.mark.parametrize(
    "more",
    [
        "[websocket]\n",
        "[[smoke.steps]]\nname='a'\nrequest='GET /'\n",
        "[load]\npaths=['/']\n",
        "[observe]\nprobe='/'\n",
    ],
)
def test_what_sends_traffic_needs_a_web_process(load: Load, more: str):
    with pytest.raises(Exception, match="needs a process named web"):
        load(WORKER + more)


def test_a_cron_path_needs_a_web_process_and_a_cron_command_does_not(load: Load):
    load(WORKER + "[cron.c]\nschedule = 'daily'\ncommand = 'x'\n")
    with pytest.raises(Exception, match=r"cron\.c\.path: needs a process named web"):
        load(WORKER + "[cron.c]\nschedule = 'daily'\npath = '/c'\n[env]\n" + CRON_SECRET)


@pytest.mark.parametrize("version", ["^1.4.0", "latest", "1.x", "1.4", ">=1"])
def test_a_runtime_is_pinned_exactly(load: Load, version: str):
    with pytest.raises(Exception, match=r"slipway\.toml:2 runtime\.version: must be one exact version"):
        load(SMALL.replace("1.4.5", version))


def test_captures_of_earlier_steps_and_env_of_scope_smoke_fill_steps_and_messages(load: Load):
    load(
        SMALL
        + """
        [env]
        PASSWORD = { secret = true, scope = ["web", "smoke"] }
        [websocket]
        open = ['{"token":"${token}"}']
        echo = '{"n":${n}}'
        [[smoke.steps]]
        name = "sign in"
        request = "POST /login"
        json = { password = "${PASSWORD}" }
        capture = { token = "accessToken" }
        [[smoke.steps]]
        name = "read"
        request = "GET /tasks"
        headers = { authorization = "Bearer ${token}" }
        """
    )


def test_no_message_about_a_plain_value_repeats_it(wrong: Wrong):
    assert "hunter2" not in "".join(
        wrong("[env]\nX = { value = 'hunter2', kind = 'integer', pattern = 'z' }\n")
    )


@pytest.mark.parametrize("runtime", [{"name": "none"}, {"name": "image"}])
def test_an_app_is_the_same_after_a_journey_as_json(runtime: dict[str, str]) -> None:
    """Set-up kits carry it to hosts: what is left out must be valid when it is read again."""
    command = {} if runtime["name"] == "image" else {"command": "serve"}
    app = App.model_validate({"name": "a", "runtime": runtime, "processes": {"web": command}})
    assert App.model_validate_json(app.model_dump_json(by_alias=True)) == app

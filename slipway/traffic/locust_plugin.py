"""What `locust -f loadtests/` learns from slipway: options, stack, users of each process, profile.

Whatever is secret is read from the stack's secret store in this process; nothing of it is an argument.
"""

# Locust and its HTTP client are partly untyped.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownLambdaType=false

import logging
import sys
import time
from collections.abc import Iterator
from functools import cache
from math import isinf
from pathlib import Path
from typing import Any, cast

import gevent
from locust import LoadTestShape, User, events
from locust.argument_parser import LocustArgumentParser
from locust.dispatch import UsersDispatcher
from locust.env import Environment
from locust.runners import MasterRunner, Runner, WorkerNode, WorkerRunner

from slipway.settings import App, BadInput, SlipwayError
from slipway.stack import open_live
from slipway.traffic.ending import follow
from slipway.traffic.profile import SHAPES, Part, Profile, profile_of
from slipway.traffic.results import ExitCode
from slipway.traffic.run import LoadRun, UserMix, VisitRate, split_by_weight
from slipway.traffic.target import Target, target_given, target_of
from slipway.traffic.users import HttpUser, SocketUser

__all__ = [
    "EvenDispatcher",
    "ProfileShape",
    "attach",
    "refuse_prod",
    "register",
    "share_out",
    "start_together",
    "user_mix",
]


_log = logging.getLogger(__name__)
DEFAULT_PROFILE = "expected"
PROD = "prod"
MESSAGE = "slipway-part"
"""Locust message by which the master assigns a worker its part."""
ASKED, READY = "slipway-asked", "slipway-ready"
"""Locust messages: the master asks a worker whether it knows its load, and the worker's answer."""
ASK_SECONDS = 0.1
READY_SECONDS = 60.0
"""How long the master waits for all its workers' answers before it gives the test up."""


@cache
def register() -> None:
    """Tell locust; once a process, however many scenarios there are."""
    events.init_command_line_parser.add_listener(add_options)
    events.init.add_listener(_on_init)
    logging.getLogger("locust.runners").addFilter(_says_something)


def add_options(parser: LocustArgumentParser, **_: Any) -> None:
    """`--stack` and `--i-know`. `--profile` is locust's own, and names one of ours."""
    group = parser.add_argument_group("slipway", "Which stack to load, and how")
    group.add_argument("--stack", default="local", env_var="SLIPWAY_STACK", help="the stack (default: local)")
    group.add_argument(
        "--i-know",
        action="store_true",
        help="load the stack prod, which real users would feel",
        dest="i_know",
    )
    # A text and no Path: locust sends all options to its workers.
    group.add_argument("--report-dir", default="", help="where reports go (default: .slipway/STACK/load)")
    for action in parser._actions:  # pyright: ignore[reportPrivateUsage] - argparse has no other way to reword one
        if action.dest == "profile":
            action.choices = list(SHAPES)
            action.help = f"how the load rises and falls (default: {DEFAULT_PROFILE}): {', '.join(SHAPES)}"


def refuse_prod(stack: str, *, i_know: bool) -> None:
    """BadInput for prod, unless the person who asks knows."""
    if stack == PROD and not i_know:
        raise BadInput(
            f"a load test of the stack {PROD}: real users would feel it",
            remedy="take a preview stack, or say --i-know",
        )


def attach(environment: Environment, target: Target, profile: str) -> Any:
    """Make the environment's users those of a run of `profile` at `target`. The run."""
    sized = profile_of(profile, target.app)
    mix = user_mix(environment.user_classes, sized, target.app)
    if not mix.size:
        raise BadInput(f"load profile {profile}: no scenario has anything to do on {target.app.name}")
    run = LoadRun(environment, target, sized, mix)
    # Users for whom there is nothing to do are not spawned at all; the others exactly as often as needed.
    environment.user_classes[:] = list(mix.users)
    for kind in mix.users:
        kind.host = target.url
    environment.host = target.url
    environment.dispatcher_class = EvenDispatcher
    environment.stop_timeout = target.app.load.patience_seconds
    environment.shape_class = ProfileShape(run)
    if environment.runner:
        environment.shape_class.runner = environment.runner
    present = start_together(environment)
    environment.events.test_start.add_listener(lambda **_: run.begin(leads=_leads(environment)))
    environment.events.test_stopping.add_listener(lambda **_: run.stop())
    share_out(environment, run, present)
    return run


def _leads(environment: Environment) -> bool:
    return isinstance(environment.runner, MasterRunner)


def _on_init(environment: Environment, **_: Any) -> None:
    options = environment.parsed_options
    if options is None or not hasattr(options, "stack"):
        return
    try:
        refuse_prod(options.stack, i_know=options.i_know)
        live = (
            None
            if target_given() and isinstance(environment.runner, WorkerRunner)
            else open_live(options.stack)
        )
        target = target_given() or target_of(live or open_live(options.stack))
        if options.host and options.host.rstrip("/") != target.url:
            raise BadInput(
                f"--host {options.host} is not the stack {target.stack}; credentials are for {target.url}",
                remedy="leave --host out, or name the stack by --stack",
            )
        run = attach(environment, target, options.profile or DEFAULT_PROFILE)
        follow(environment, run, live, Path(options.report_dir) if options.report_dir else None)
    except SlipwayError as refused:
        remedy = f"\n  {refused.remedy}" if refused.remedy else ""
        sys.stderr.write(f"{refused.message}{remedy}\n")
        sys.exit(refused.exit_code)


def _says_something(record: logging.LogRecord) -> bool:
    # Our users are spawned at once and wait: the profile, not the spawning, is the ramp. And a worker that
    # does not know its load yet is asked again.
    said = record.getMessage()
    return not said.startswith("Your selected spawn rate is very high") and not said.endswith(f": {ASKED}")


def user_mix(classes: list[type[User]], profile: Profile, app: App) -> UserMix:
    """Those of `classes` that have something to do in `profile` on this app."""
    visitors = [kind for kind in classes if issubclass(kind, HttpUser) and kind.suits(app)]
    own = {kind: kind.own_rate(app) for kind in visitors}
    weights = sum(kind.weight for kind, rate in own.items() if rate is None)
    visits: dict[type[User], VisitRate] = {}
    for kind, rate in own.items():
        share = kind.weight / weights if rate is None else None
        peak = profile.schedule.peak_rate * share if share is not None else rate or 0.0
        if peak > 0:
            visits[kind] = VisitRate(peak, share, kind.visit_seconds)
    with_socket: dict[type[User], float] = {
        kind: kind.weight for kind in classes if issubclass(kind, SocketUser) and kind.suits(app)
    }
    sockets = split_by_weight(with_socket, profile.schedule.peak_sockets)
    others = [kind.__name__ for kind in classes if not issubclass(kind, HttpUser | SocketUser)]
    if others:
        _log.warning("not a user of slipway.traffic, ignored: %s", ", ".join(others))
    return UserMix(visits, {kind: number for kind, number in sockets.items() if number})


def start_together(environment: Environment) -> list[str]:
    """Let a test begin when each worker knows its load; call it on locust's event `init`.

    Locust starts it as soon as enough workers are connected. One of them may still read the stack: it would
    miss what the master tells it, send nothing, and be no part of what is reported. In the master the list
    has, from then on, the ids of the workers that take part.
    """
    present: list[str] = []
    runner: Any = environment.runner  # locust's messages are untyped
    if isinstance(runner, WorkerRunner):
        runner.register_message(ASKED, lambda **_: runner.send_message(READY))
    elif isinstance(runner, MasterRunner):
        ready: set[str] = set()
        runner.register_message(READY, lambda msg, **_: ready.add(msg.node_id))

        def wait(**_: object) -> None:
            until = time.monotonic() + READY_SECONDS
            present[:] = _workers(runner)
            while missing := [each for each in present if each not in ready and each in _workers(runner)]:
                if time.monotonic() > until:
                    names = ", ".join(missing)
                    _log.error("%s does not know its part of the load after %.0f s", names, READY_SECONDS)
                    environment.process_exit_code = int(ExitCode.GENERATOR)
                    runner.quit()
                    raise gevent.GreenletExit
                for worker in missing:
                    runner.send_message(ASKED, None, worker)
                gevent.sleep(ASK_SECONDS)

        cast("Any", environment.events).test_start.add_listener(wait)
    return present


def share_out(environment: Environment, run: LoadRun, present: list[str]) -> None:
    """Give each worker that is `present` its part of the load; call it once, on locust's event `init`."""
    runner, events = environment.runner, cast("Any", environment.events)
    if isinstance(runner, WorkerRunner):

        def assigned(msg: Any, **_: object) -> None:
            run.part = Part(msg.data["index"], msg.data["of"])
            run.starts_at = msg.data["starts_at"]
            run.set_processes(run.part.of)

        cast("Any", runner).register_message(MESSAGE, assigned)
    elif isinstance(runner, MasterRunner):

        def assign(**_: object) -> None:
            # Messages to one worker keep their order, so it gets this before the one that starts the test.
            # The start is a time of the wall clock, as the samples are: a worker that is late to read this
            # starts in the middle of the profile, and what was due before is due at once.
            starts_at = time.time() - run.at
            for index, worker in enumerate(present):
                part = {"index": index, "of": len(present), "starts_at": starts_at}
                runner.send_message(MESSAGE, part, worker)

        events.test_start.add_listener(assign)


def _processes_of(runner: Runner | None) -> int:
    """How many processes would send the load if it started now."""
    return max(len(_workers(runner)), 1) if isinstance(runner, MasterRunner) else 1


def _workers(master: MasterRunner) -> list[str]:
    """Ids of those among whom locust distributes the users."""
    clients = master.clients
    return sorted(each.id for each in clients.ready + clients.spawning + clients.running)


class EvenDispatcher(UsersDispatcher):
    """Gives each process an equal number of every kind of user, since each has its part of every load.

    Locust's own mixes the kinds before it distributes them: of two kinds, two processes may get one each, and
    the visits of the other kind find no user. A worker that comes later has no part in this test, and the
    visits of one that is lost are not made by others: the report names it.
    """

    def __init__(self, worker_nodes: list[WorkerNode], user_classes: list[type[User]]) -> None:
        super().__init__(worker_nodes, user_classes)
        self._ids = sorted(each.id for each in worker_nodes)
        self._kinds = list(user_classes)
        self._steps: Iterator[dict[str, dict[str, int]]] = iter(())

    def new_dispatch(
        self, target_user_count: int, spawn_rate: float, user_classes: list[type[User]] | None = None
    ) -> None:
        """All users at once, `fixed_count` of each kind; the first processes take what division leaves."""
        del spawn_rate, user_classes
        of = len(self._ids)
        users = {
            worker: {
                kind.__name__: (kind.fixed_count + of - 1 - index) // of if target_user_count else 0
                for kind in self._kinds
            }
            for index, worker in enumerate(self._ids)
        }
        self._steps = iter([users])

    def __next__(self) -> dict[str, dict[str, int]]:
        return next(self._steps)

    def add_worker(self, worker_node: WorkerNode) -> None:
        """Leaves the distribution as it is."""

    def remove_worker(self, worker_node: WorkerNode) -> None:
        """Leaves the distribution as it is."""


class ProfileShape(LoadTestShape):
    """The profile as locust knows it: all users at once, most of whom wait, until the profile is over."""

    abstract = True  # not to be found in locustfiles: the plugin makes the one there is

    def __init__(self, run: LoadRun) -> None:
        super().__init__()
        self._run = run

    def tick(self) -> tuple[int, float] | None:
        """Users, and how many are spawned a second; None ends the run."""
        run = self._run
        if isinf(run.zero):
            run.set_processes(_processes_of(self.runner))
        elif run.at > run.profile.seconds:
            return None
        return run.mix.size, float(run.mix.size)

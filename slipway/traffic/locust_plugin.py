"""What `locust -f loadtests/` learns from slipway: which stack, which profile, and that prod is refused.

Whatever is secret is read from the stack's secret store in this process; nothing of it is an argument.
"""

# Locust and its HTTP client are partly untyped.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownLambdaType=false

import logging
import sys
from functools import cache
from pathlib import Path
from typing import Any

from locust import events
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from slipway.settings import BadInput, SlipwayError
from slipway.stack import open_live
from slipway.traffic.ending import follow
from slipway.traffic.processes import target_given
from slipway.traffic.profile import SHAPES, profile_of
from slipway.traffic.run import LoadRun
from slipway.traffic.target import Target, target_of
from slipway.traffic.workers import EvenDispatcher, ProfileShape, user_mix

__all__ = ["attach", "refuse_prod", "register"]

DEFAULT_PROFILE = "expected"
PROD = "prod"


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
    environment.events.test_start.add_listener(lambda **_: run.begin(leads=_leads(environment)))
    environment.events.test_stopping.add_listener(lambda **_: run.stop())
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
    # Our users are spawned at once and wait: the profile, not the spawning, is the ramp.
    return not record.getMessage().startswith("Your selected spawn rate is very high")

"""A seed's story: which commands run, what goes wrong meanwhile, and what must be true all the time."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass

from slipway.release.phases import Report
from slipway.settings import LeaseHeld, NeedsPerson, SlipwayError
from tests.simulation.hosts import App, SimHost
from tests.simulation.world import Command, Plan, World

PHASES = ("stage", "boot", "smoke", "switch", "switch", "observe", "promote", "undo", "recover", "publish")
LINES = 20


class Violation(AssertionError):
    """Something that must never be so, with the last lines of the story."""

    def __init__(self, world: World, what: str) -> None:
        lines = [line for line in world.story if " stats " not in line and " retire " not in line]
        super().__init__("\n".join([f"seed {world.seed}: {what}", *lines[-LINES:]]))
        self.what = what


# what must be true at every moment


def watch(world: World) -> None:
    """Called after everything that happens."""
    if not world.has_changed:
        return
    world.has_changed = False
    in_the_way = world.store.in_the_way
    for host in world.hosts.values():
        reached = host.users_reach
        if reached is not None and reached not in host.proved:
            raise Violation(
                world, f"users reach release {reached} on {host.name}, which was not proved there"
            )
        if reached is not None and reached not in in_the_way:
            raise Violation(
                world, f"{host.name} serves release {reached}; the ledger knows only {sorted_(in_the_way)}"
            )
        working = host.working
        if len(working) > 1 and not world.plan.overlap:
            raise Violation(world, f"workers of releases {sorted(working)} run at once on {host.name}")


def sorted_(numbers: set[int | None]) -> list[int]:
    return sorted(number for number in numbers if number is not None)


def check_message(world: World, command: Command) -> None:
    """What the command said when it ended is so, as far as no other command was at work."""
    if any(other is not command and not other.is_over for other in world.commands):
        return
    hosts = [host for host in world.hosts.values() if host.is_reachable]
    live, served = world.store.head.live, {host.goes_to or host.serves for host in hosts}
    if isinstance(command.report, Report) and command.report.release != live:
        raise Violation(world, f"{command.name} reports release {command.report.release}, {live} is live")
    error = command.error
    if not isinstance(error, SlipwayError):
        return
    said = "\n".join([error.message, *error.details])
    if "No answer from" in said or "No host said" in said:
        return
    for number in re.findall(r"Release (\d+) serves", said):
        if live != int(number) or served - {int(number)}:
            raise Violation(world, f"{command.name} says {said!r}, but {served} serve, {live} is live")
    if "The hosts differ" in said and not served - {live}:
        raise Violation(world, f"{command.name} says {said!r}, but all serve {live}")
    if "serves nothing" in said and (live is not None or served - {None}):
        raise Violation(world, f"{command.name} says {said!r}, but {served} serve")
    is_closed = not world.store.open or "could not record" in said
    if error.exit_code == 1 and "undone:" in said and (served - {live} or not is_closed):
        raise Violation(world, f"{command.name} ended with exit code 1, but {served} serve, {live} is live")


def check_undo(world: World, command: Command) -> None:
    """A command that could not be undone everywhere left no host astray that could have gone back."""
    error = command.error
    if not isinstance(error, NeedsPerson) or any(not other.is_over for other in world.commands):
        return
    if world.bucket_was_away or (world.data_was_away and world.plan.hold_seconds < 1000):
        return  # what was promoted is not known; or the way back begins with a boot, which needs the data
    sound = [host for host in world.hosts.values() if host.name not in world.troubled]
    live = world.store.head.live
    if astray := [host.name for host in sound if (host.goes_to or host.serves) != live]:
        raise Violation(world, f"{command.name} left {astray} astray, which nothing kept from going back")
    if len(sound) == len(world.hosts):
        raise Violation(world, f"{command.name} needs a person, although every host could go back: {error}")


def check_status(world: World, command: Command) -> None:
    """`status` recovers what others left, at once, unless something is away or it was struck itself."""
    is_sound = not (world.troubled or world.bucket_was_away or world.data_was_away)
    failed = command.error is not None and not isinstance(command.error, LeaseHeld)
    if command.name.startswith("status") and failed and is_sound and command.name not in world.struck:
        raise Violation(world, f"{command.name} failed, although nothing was away: {command.error}")


def check_quiet(world: World) -> None:
    """Every host serves what the ledger names, nothing is unfinished, everything runs."""
    live = world.store.head.live
    if unfinished := sorted(set(world.store.open) - {live}):
        raise Violation(world, f"records {unfinished} are still open")
    for host in world.hosts.values():
        state = host.state
        if host.serves != live or state.handover:
            raise Violation(
                world, f"{host.name} serves {host.serves}, handover {state.handover}; {live} is live"
            )
        if "web" in host.roles and host.users_reach != live:
            raise Violation(world, f"HAProxy on {host.name} leads to {host.users_reach}; {live} is live")
        if live is not None and "worker" in host.roles and host.working != {live}:
            raise Violation(world, f"workers of {host.working} run on {host.name}; {live} is live")


# what goes wrong


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong: `seconds` after `phase` of the command number `command` has begun."""

    kind: str
    command: int
    phase: str
    seconds: float
    host: str
    amount: float

    def __str__(self) -> str:
        return f"{self.kind} {self.seconds:.2f} s after {self.phase} begins ({self.host}, {self.amount:.1f})"

    def strike(self, world: World, command: Command) -> None:
        """Let it happen."""
        world.say(f"*** {self.kind} ({self.host}, {self.amount:.1f}) in {command.name}")
        if self.kind in TROUBLES:
            world.troubled.add(self.host)
        world.struck.add(command.name)
        world.bucket_was_away |= self.kind in ("bucket away", "lose writes")
        world.data_was_away |= self.kind == "data away"
        FAULTS[self.kind](world, command, world.hosts[self.host], self.amount)


def _cut_off(world: World, host: SimHost, seconds: float) -> None:
    host.cut_off_until = world.kernel.now + seconds


def _lose_answers(world: World, host: SimHost, _: float) -> None:
    world.lost_answers[host.name] = 1


def _duplicate(world: World, host: SimHost, seconds: float) -> None:
    world.deliveries[host.name] = lambda _: [0.01, 0.01 + seconds]


def _delay(world: World, host: SimHost, seconds: float) -> None:
    delays = random.Random(f"{world.seed}/{host.name}/delays")
    world.deliveries[host.name] = lambda _: [delays.choice((0.01, 0.01, seconds / 4))]


def _late_switch(world: World, host: SimHost, seconds: float) -> None:
    """The next switch arrives late; what comes after it does not."""
    delays = [seconds]
    world.deliveries[host.name] = lambda command: [delays.pop() if command == "switch" and delays else 0.01]


def _slow(_: World, host: SimHost, amount: float) -> None:
    host.slow = 1 + amount / 10


def _bucket_away(world: World, seconds: float) -> None:
    world.bucket_away_until = world.kernel.now + seconds


def _lose_writes(world: World) -> None:
    world.lost_writes = 2


def _data_away(world: World, seconds: float) -> None:
    world.set_data(False)
    world.kernel.at(seconds, lambda: world.set_data(True))


def _fill(host: SimHost) -> None:
    host.is_full = True


def _skew(host: SimHost, amount: float) -> None:
    host.skew = (amount - 20) * 180


FAULTS: dict[str, Callable[[World, Command, SimHost, float], object]] = {
    "kill": lambda world, command, host, amount: world.kernel.kill(command.process),
    "interrupt": lambda world, command, host, amount: world.kernel.interrupt(command.process),
    "stop": lambda world, command, host, amount: world.kernel.stop(command.process, amount * 2),
    "reboot": lambda world, command, host, amount: host.reboot(),
    "cut off": lambda world, command, host, amount: _cut_off(world, host, amount),
    "lose answers": lambda world, command, host, amount: _lose_answers(world, host, amount),
    "duplicate": lambda world, command, host, amount: _duplicate(world, host, amount),
    "delay": lambda world, command, host, amount: _delay(world, host, amount),
    "late switch": lambda world, command, host, amount: _late_switch(world, host, amount),
    "slow": lambda world, command, host, amount: _slow(world, host, amount),
    "bucket away": lambda world, command, host, amount: _bucket_away(world, amount),
    "lose writes": lambda world, command, host, amount: _lose_writes(world),
    "data away": lambda world, command, host, amount: _data_away(world, amount),
    "full disk": lambda world, command, host, amount: _fill(host),
    "skew": lambda world, command, host, amount: _skew(host, amount),
    "another release": lambda world, command, host, amount: world.ship(wait=amount),
    "another rollback": lambda world, command, host, amount: world.roll_back(wait=amount),
    "another status": lambda world, command, host, amount: world.look(wait=amount),
}
TROUBLES = ("reboot", "cut off", "lose answers", "full disk")
"""Faults for which a host may fail what it is asked."""
WEIGHTS = {"kill": 5, "interrupt": 5, "reboot": 2, "data away": 2, "another rollback": 2, "stop": 2}


# a whole story


@dataclass(frozen=True)
class Story:
    """What a seed decides, before anything happens."""

    plan: Plan
    acts: tuple[tuple[str, App], ...]
    faults: tuple[Fault, ...]
    crowd: int = 0
    """How many commands start at once at the end."""

    @classmethod
    def of(cls, seed: object) -> Story:
        """The story of a seed."""
        dice = random.Random(f"{seed}/story")
        plan = Plan(
            overlap=dice.random() < 0.1,
            mailer=dice.random() < 0.3,
            hold_seconds=dice.choice((20.0, 90.0, 3600.0)),
            window_seconds=dice.choice((2.0, 5.0)),
            shared=random.Random(f"{seed}/shared").random() < 0.3,
        )
        acts = tuple((dice.choice(ACTS), _app(dice)) for _ in range(dice.choice((1, 1, 2, 3))))
        kinds = list(FAULTS)
        weights = [WEIGHTS.get(kind, 1) for kind in kinds]
        faults = tuple(
            Fault(
                kind=dice.choices(kinds, weights)[0],
                command=dice.randrange(len(acts)),
                phase=dice.choice(PHASES),
                seconds=dice.choice((dice.uniform(0, 0.1), dice.uniform(0, 1), dice.uniform(0, 6))),
                host=dice.choice(("web1", "web2", "worker1")),
                amount=dice.uniform(1, 40),
            )
            for _ in range(dice.choice((1, 1, 2, 2, 3)))
        )
        return cls(plan, acts, faults, crowd=10 if dice.random() < 0.02 else 0)


ACTS = ("release", "release", "release", "rollback", "cold rollback", "cold rollback", "status")


def _app(dice: random.Random) -> App:
    app = App(job_seconds=dice.choice((0.5, 2.0, 30.0, 150.0)))
    flaw = dice.choice(("", "", "", "", "boots", "passes_smoke", "works", "holds", "holds"))
    if flaw:
        setattr(app, flaw, False)
    return app


def begin(world: World, act: str, app: App) -> Command:
    if act == "release":
        return world.ship(app, wait=60)
    if act == "status":
        return world.look(wait=60)
    return world.roll_back(1 if act == "cold rollback" else None, wait=60)


def play(seed: object, story: Story | None = None) -> World:
    """Play the seed's story to its end; raises Violation."""
    told = story or Story.of(seed)
    with World(seed, told.plan) as world:
        for _ in range(3 if any(act == "cold rollback" for act, _ in told.acts) else 2):
            _must_end_well(world, world.ship(App(job_seconds=told.acts[0][1].job_seconds)))
        world.settle()
        world.kernel.after_step = lambda: watch(world)
        _arm(world, told)
        for act, app in told.acts:
            if act == "wait":
                world.kernel.run(world.kernel.now + 200)
                continue
            world.finish(begin(world, act, app))
            world.kernel.run(world.kernel.now + world.random.choice((0, 0, 5, 70)))
        for number in range(told.crowd):
            begin(world, world.random.choice(ACTS), App(holds=number % 3 > 0))
        world.settle()
        heal(world)
        world.settle()
        _must_end_well(world, world.look(wait=120))
        world.settle()
        check_quiet(world)
        _must_end_well(world, world.ship(wait=120))
        world.settle()
        check_quiet(world)
        return world


def _arm(world: World, told: Story) -> None:
    """Let each fault strike once, when its command gets there; and look at what commands say."""
    first, waiting = len(world.commands), list(told.faults)

    def on_phase(command: Command, phase: str) -> None:
        for fault in list(waiting):
            if fault.phase == phase and world.commands.index(command) >= first + fault.command:
                waiting.remove(fault)
                world.kernel.at(fault.seconds, lambda fault=fault: fault.strike(world, command))

    world.on_phase = on_phase

    def on_end(command: Command) -> None:
        check_message(world, command)
        check_undo(world, command)
        check_status(world, command)

    world.on_end = on_end


def heal(world: World) -> None:
    """Whatever is away comes back."""
    world.on_phase = lambda _command, _phase: None
    world.say("everything is whole again")
    if not world.data_is_up:
        world.set_data(True)
    world.bucket_away_until, world.lost_writes = 0.0, 0
    world.deliveries.clear()
    world.lost_answers.clear()
    for host in world.hosts.values():
        host.cut_off_until, host.is_full, host.slow = 0.0, False, 1.0


def _must_end_well(world: World, command: Command) -> None:
    world.finish(command)
    if command.error is not None or command.ended is None:
        error = command.error
        details = getattr(error, "details", ())
        raise Violation(world, f"{command.name} must end well: {type(error).__name__} {error} {details}")

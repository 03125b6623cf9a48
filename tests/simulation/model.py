"""A host in a few fields: what the agent does with its slots, without files, units or time.

The search through every order of events and the unit tests of the pipeline use it;
`tests/simulation/test_model.py` holds it against the agent itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from slipway.fleet.replies import HaProxy, Slot, SlotName, SlotState, Status

NAMES: tuple[SlotName, SlotName] = ("blue", "green")
Order = tuple[int, int]


class Refused(Exception):
    """The agent answers with an error; `code` is the agent's."""

    def __init__(self, code: str, why: str = "") -> None:
        super().__init__(f"{code}: {why}")
        self.code = code


@dataclass(frozen=True)
class Held:
    """A slot that is not empty."""

    release: int
    state: SlotState


@dataclass(frozen=True)
class ModelHost:
    """One host. `broken` are releases whose web process cannot boot and whose workers cannot run on it."""

    is_web: bool = True
    slots: tuple[Held | None, Held | None] = (None, None)
    active: int | None = None
    goes_to: int | None = None
    """The slot to which an unfinished handover of workers leads."""
    order: Order = (0, 0)
    broken: frozenset[int] = frozenset()

    # what it says

    @property
    def live(self) -> Held | None:
        """The slot that serves."""
        return self.slots[self.active] if self.active is not None else None

    def where(self, release: int) -> int | None:
        """The slot that holds `release`; the live one first."""
        found = [i for i, slot in enumerate(self.slots) if slot is not None and slot.release == release]
        return min(found, key=lambda i: i != self.active, default=None)

    def status(self) -> Status:
        """As the agent's `status` says it."""
        slots = {
            name: Slot(state=held.state, release=held.release) if held else Slot()
            for name, held in zip(NAMES, self.slots, strict=True)
        }
        return Status(
            role="web" if self.is_web else "worker",
            fence=self.order[0],
            step=self.order[1],
            active=None if self.active is None else NAMES[self.active],
            slots=slots,
            handover=None if self.goes_to is None else {"to": NAMES[self.goes_to]},
            haproxy=HaProxy(up={"blue": 1, "green": 1}) if self.is_web else None,
        )

    # what it does

    def fenced(self, order: Order) -> ModelHost:
        """Under `order` from now on. Raises `fenced` if a newer one was seen."""
        if order < self.order:
            raise Refused("fenced", f"{order} < {self.order}")
        return replace(self, order=order)

    def do(self, command: str, release: int, *, back: bool = False) -> ModelHost:
        """The host after one command of the pipeline, all of it."""
        host = self
        if command == "switch":
            begun = host.begin_switch(release, back=back)
            return begun.finish_handover(back=back)
        if command == "stop":
            return host.stop(release)
        host = host.finish_handover()
        if command == "stage":
            return host.stage(release)
        return host.boot(release) if command == "boot" else host.smoke(release)

    def stage(self, release: int) -> ModelHost:
        idle = 0 if self.active is None else 1 - self.active
        held = self.slots[idle]
        if held is not None and held.release == release and held.state in ("staged", "booted"):
            return self
        return self._with(idle, Held(release, "staged"))

    def boot(self, release: int) -> ModelHost:
        slot = self.where(release)
        held = None if slot is None else self.slots[slot]
        if slot is None or held is None:
            raise Refused("not_staged")
        if slot == self.active or held.state in ("booted", "warm"):
            return self
        if release in self.broken and self.is_web:
            raise Failed(self._with(slot, Held(release, "failed")))
        return self._with(slot, Held(release, "booted"))

    def smoke(self, release: int) -> ModelHost:
        slot = self.where(release)
        held = None if slot is None else self.slots[slot]
        if slot is None or slot == self.active or held is None or held.state not in ("booted", "warm"):
            raise Refused("not_warm")
        return self

    def begin_switch(self, release: int, *, back: bool = False) -> ModelHost:
        """A web host has switched then; a worker has an open handover."""
        if release == 0:
            host = self._taken_back() if self.goes_to is not None else self
            if host.active is None or host.live is None:
                return host
            return replace(host._with(host.active, replace(host.live, state="booted")), active=None)
        slot = self.where(release)
        held = None if slot is None else self.slots[slot]
        if slot is None or held is None:
            raise Refused("not_warm")
        if self.goes_to is not None:
            return self if self.goes_to == slot else self._taken_back()
        if slot == self.active:
            return self
        tries_again = held.state == "failed" and not self.is_web  # its workers failed, and may not fail now
        if held.state not in ("booted", "warm") and not tries_again:
            raise Refused("not_warm", held.state)
        return self._made_live(slot) if self.is_web else replace(self, goes_to=slot)

    def finish_handover(self, *, back: bool = False) -> ModelHost:
        """The new workers start once the old ones have ended."""
        if self.goes_to is None:
            return self
        to = self.slots[self.goes_to]
        if to is None:
            raise Refused("bad_model")
        if to.release in self.broken and not back:
            failed = self._taken_back()._with(self.goes_to, replace(to, state="failed"))
            raise Failed(failed)
        return replace(self._made_live(self.goes_to), goes_to=None)

    def stop(self, release: int) -> ModelHost:
        host = self
        if host.goes_to is not None:
            to = host.slots[host.goes_to]
            taken_back = to is not None and to.release == release
            host = host._taken_back() if taken_back else host.finish_handover()
        slot = host.where(release)
        if slot is None:
            return host
        if slot == host.active:
            raise Refused("is_live")
        return host._with(slot, None)

    def retire(self) -> ModelHost:
        """The hold time of a warm slot is over."""
        slots = [None if held is not None and held.state == "warm" else held for held in self.slots]
        return replace(self, slots=(slots[0], slots[1]))

    def _taken_back(self) -> ModelHost:
        if self.goes_to is None:
            return self
        host = replace(self, goes_to=None)
        held = host.slots[self.goes_to]
        return host if held is None else host._with(self.goes_to, replace(held, state="warm"))

    def _made_live(self, slot: int) -> ModelHost:
        host, held = self, self.slots[slot]
        if held is None:
            raise Refused("bad_model")
        if host.live is not None and host.active is not None:
            host = host._with(host.active, replace(host.live, state="warm"))
        return replace(host._with(slot, replace(held, state="live")), active=slot)

    def _with(self, slot: int, held: Held | None) -> ModelHost:
        slots = list(self.slots)
        slots[slot] = held
        return replace(self, slots=(slots[0], slots[1]))


class Failed(Refused):
    """The command failed, and left the host in another state."""

    def __init__(self, host: ModelHost) -> None:
        super().__init__("crashed")
        self.host = host

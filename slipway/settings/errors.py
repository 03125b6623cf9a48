"""What can go wrong for a user: one error class per exit code.

0 done · 1 failed and the fleet is as it was · 2 bad input · 3 another command holds the lease, or took it ·
4 the fleet, or a stack that is held, needs a person

Load tests use further codes (`slipway.traffic.results`): 1 a threshold is missed · 5 no data, or too little ·
6 the load generator was saturated or lost a worker · 7 the target refused every user or could not be reached
"""

from typing import ClassVar


class SlipwayError(Exception):
    """A failure that a person can act on: `message` says what and where, `remedy` what to do.

    `details` are further lines (the app's last log lines, one line per host, …), redacted already.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, remedy: str = "", details: tuple[str, ...] | list[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.details = tuple(details)


class ReleaseFailed(SlipwayError):
    """A release or rollback failed and was undone: the fleet serves what it served before."""

    exit_code = 1


class BadInput(SlipwayError):
    """A file, key, value or argument is wrong; nothing was touched."""

    exit_code = 2


class LeaseHeld(SlipwayError):
    """Another command holds the stack's lease, or a newer one has taken it over."""

    exit_code = 3


class NeedsPerson(SlipwayError):
    """A person has to decide or to repair something, and `remedy` says what.

    The fleet could be neither finished nor undone automatically, or its stack is held.
    """

    exit_code = 4


class Interrupted(SlipwayError):
    """Ctrl-C or SIGTERM; the message says what is there now.

    A release or rollback is undone first, with code 1.
    """

    exit_code = 130

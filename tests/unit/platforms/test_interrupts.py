import os
import signal

import pytest

from slipway.platforms.interrupts import interrupts_deferred


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_waits_for_the_end_of_the_step(number: signal.Signals):
    steps: list[str] = []
    with pytest.raises(KeyboardInterrupt), interrupts_deferred():
        os.kill(os.getpid(), number)
        steps.append("finished")
    assert steps == ["finished"]


def test_without_ctrl_c_nothing_happens_and_the_next_one_works_at_once():
    with interrupts_deferred():
        pass
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)

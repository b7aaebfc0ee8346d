"""The clock of training budgets, with a time that the tests set."""

import time

from numba import njit
from numba.core import event
from numba.extending import overload

from sinenerf.common.training_clock import training_time


def test_it_stands_still_while_a_kernel_is_compiled(clock):
    def increment(x):
        raise NotImplementedError

    @overload(increment)
    def compile_increment(x):  # numba calls this while it compiles
        clock.now += 10
        return lambda x: x + 1

    @njit
    def inner(x):
        return increment(x)

    @njit
    def outer(x):
        return 2 * inner(x)

    begin = training_time()
    assert outer(1) == 4 and clock.now >= 10
    assert training_time() == begin
    clock.now += 3
    assert outer(2) == 6 and training_time() == begin + 3
    assert outer(1.5) == 5.0 and training_time() == begin + 3  # other types are compiled again


def test_a_compilation_that_fails_is_not_counted_either(clock):
    begin = training_time()
    try:
        with event.trigger_event("numba:compile"):
            clock.now += 10
            raise TypeError
    except TypeError:
        clock.now += 1
    assert training_time() == begin + 1


def test_processor_time_does_not_pass_while_the_process_waits():
    begin, waited = training_time("processor"), time.process_time()
    time.sleep(0.2)
    assert training_time("processor") - begin < 0.1
    while time.process_time() < waited + 0.2:
        pass
    assert training_time("processor") - begin >= 0.19


def test_processor_time_of_a_compilation_is_not_counted():
    begin = training_time("processor")
    with event.trigger_event("numba:compile"):
        end = time.process_time() + 0.2
        while time.process_time() < end:
            pass
    assert training_time("processor") - begin < 0.1

"""Work in a thread that rests."""

import time

from sched_async.gently import A_WHILE, gently


def test_it_rests_at_least_as_long_as_it_works() -> None:
    begun, worked = time.perf_counter(), time.thread_time()
    for _ in gently(range(20)):
        until = time.thread_time() + A_WHILE
        while time.thread_time() < until:
            pass
    worked = time.thread_time() - worked
    assert time.perf_counter() - begun >= 1.5 * worked


def test_it_leaves_nothing_out() -> None:
    assert list(gently(range(3))) == [0, 1, 2]

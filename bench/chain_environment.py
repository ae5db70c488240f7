"""What every contender of bench/jobs.py shares, in whichever process: settings, and how chains are asked for.

A program that submits reads numbers from standard input, one on a line, and submits so many chains for each. For each
chain it prints the time before it was submitted, by the clock that all processes of the machine share, and its id.
"""

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterator

STEPS = 5
"""Of a chain."""


def concurrency() -> int:
    """Tasks that one process runs at a time."""
    return int(os.environ["BENCH_CONCURRENCY"])


def orders() -> Iterator[int]:
    """How many chains to submit, again and again."""
    return (int(line) for line in iter(sys.stdin.readline, ""))


def tell(before: float, chain: object) -> None:
    """A chain was submitted."""
    print(before, chain, flush=True)


def serve_orders(submit: Callable[[], object]) -> None:
    """Submit what is asked for, one after the other; `submit` returns the id of the new chain."""
    for number in orders():
        for _ in range(number):
            before = time.monotonic()
            tell(before, submit())


async def serve_orders_async(submit: Callable[[], Awaitable[object]]) -> None:
    """The same with a coroutine."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        for _ in range(int(line)):
            before = time.monotonic()
            tell(before, await submit())

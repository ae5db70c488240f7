"""What test processes that run at the same time must not share."""

import os
import random
from collections.abc import Sequence

from dev.servers.ports import is_free

MOST_RUNS = 8
RETRY_DELAYS = "0.2,0.4"
# Below the ports that the system gives to connections, which come and go by themselves.
FIRST_PORT, LAST_PORT = 17_000, 32_000


def run_number() -> int:
    """Which of the parallel processes this is."""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % MOST_RUNS


def free_offset(ports: Sequence[int]) -> int:
    """By how much to shift all these ports so that each is free. Farms of parallel test runs keep apart: a port that
    one of them closes, to be a service that is down, must not be taken by another."""
    lowest, width = min(ports), max(ports) - min(ports) + 1
    rounds = (LAST_PORT - FIRST_PORT) // width // MOST_RUNS
    dice = random.Random()
    candidates = (FIRST_PORT - lowest + width * (MOST_RUNS * dice.randrange(rounds) + run_number()) for _ in range(200))
    return next(offset for offset in candidates if all(is_free(port + offset) for port in ports))

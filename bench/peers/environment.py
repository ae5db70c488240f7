"""Settings of a library's worker from the environment, because its program takes no arguments of ours."""

import json
import os
import sys
from collections.abc import Iterator
from typing import Any

AMQP = os.environ["BENCH_AMQP"]
QUEUE = os.environ["BENCH_QUEUE"]
DSN = os.environ["BENCH_DSN"]
URL = os.environ["BENCH_URL"]
CONCURRENCY = int(os.environ["BENCH_CONCURRENCY"])


def jobs() -> Iterator[dict[str, Any]]:
    """The jobs to be sent, one on each line of standard input."""
    return map(json.loads, sys.stdin)

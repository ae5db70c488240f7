"""What a statement costs, as PostgreSQL counts it, in two databases in turn: what else the machine does slows both."""

import json
import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple

import asyncpg


class Cost(NamedTuple):
    """Medians."""

    milliseconds: float
    pages: float


async def explained(rows: asyncpg.Connection, statement: str, given: Sequence[object]) -> Cost:
    """Of one run, which is undone."""
    undone = rows.transaction()
    await undone.start()
    told = await rows.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT json) {statement}", *given)
    await undone.rollback()
    plan: dict[str, Any] = json.loads(told)[0]
    return Cost(plan["Execution Time"], plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"])


async def side_by_side(
    few: asyncpg.Connection, many: asyncpg.Connection, times: int, statement: str, *given: object
) -> tuple[Cost, Cost]:
    seen: tuple[list[Cost], list[Cost]] = ([], [])
    for _ in range(times):
        for rows, costs in zip((few, many), seen, strict=True):
            costs.append(await explained(rows, statement, given))
    here, there = (Cost(*map(statistics.median, zip(*costs, strict=True))) for costs in seen)
    return here, there

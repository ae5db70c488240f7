"""What tasks of a step take, measured on those that were done lately."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from windmill.storage.database import Connection
from windmill.storage.queries import queries

NEWEST = 20
"""So many steps are looked at."""
FEWEST = 3
"""Fewer say too little."""


@dataclass(frozen=True)
class MeasuredStep:
    """Means: seconds of a task, and tasks of a step."""

    task_seconds: float
    tasks: float

    @property
    def step_seconds(self) -> float:
        return self.task_seconds * self.tasks


async def measure_steps(connection: Connection, names: Iterable[str]) -> Mapping[str, MeasuredStep]:
    """Those of the steps that were done often enough."""
    rows = await connection.fetch(queries()["measure_steps"], sorted(set(names)), NEWEST)
    return {
        row["step"]: MeasuredStep(row["ran"] / row["tasks"], row["tasks"] / row["steps"])
        for row in rows
        if row["steps"] >= FEWEST
    }

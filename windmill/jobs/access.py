"""What every operation on jobs needs."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from windmill.core.setting_parts import JobSettings
from windmill.jobs.outcomes import TaskEnding
from windmill.jobs.step import StepCatalog
from windmill.storage.database import Connection, Pool
from windmill.storage.jobs.rows import ClaimedTask, JobRow


class ChangeWitness(Protocol):
    """Is there when somebody asks something of a job, in the transaction that does it: what it raises undoes all."""

    def opened(self, job: JobRow) -> None:
        """The job is locked, and nothing of it has changed yet."""
        ...

    async def closing(self, connection: Connection, before: JobRow, after: JobRow) -> None:
        """All is written; a job that is new had no event before."""
        ...


@dataclass(frozen=True)
class JobAccess:
    """The database, the settings, and the steps that this process knows; and who watches what is asked of a job."""

    pool: Pool
    settings: JobSettings
    catalog: StepCatalog
    witness: ChangeWitness | None = None


@dataclass(frozen=True)
class Change:
    """What an operation has committed. `new_tasks`, by step, can be claimed now, so tokens are due for them;
    `unplanned` says that a step has more to plan, piece by piece."""

    job_id: int
    public_id: uuid.UUID
    status: str
    new_tasks: Mapping[str, int] = field(default_factory=dict)
    unplanned: bool = False
    ending: TaskEnding | None = None
    """What became of the task, if the operation ended a claim."""
    next_task: ClaimedTask | None = None
    """What whoever ended it goes on with; it is claimed already."""

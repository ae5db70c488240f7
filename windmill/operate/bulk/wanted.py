"""What is asked of many jobs, and of which; as it is kept in the database."""

from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from windmill.core.errors import WindmillError
from windmill.operate.jobs.job_actions import JobAction, cancelling, giving_priority, pausing, resuming, retrying
from windmill.operate.jobs.job_filter import JobFilter
from windmill.operate.jobs.retention import DeletedFiles, removing
from windmill.storage.artifacts.store import ArtifactStore

BulkVerb = Literal["cancel", "pause", "resume", "retry", "priority", "delete"]
UNDOABLE: tuple[BulkVerb, ...] = ("cancel", "pause", "resume", "priority")


@dataclass(frozen=True)
class BulkFilter:
    """Which jobs; None is any."""

    statuses: tuple[str, ...] | None = None
    kinds: tuple[str, ...] | None = None
    presets: tuple[str, ...] | None = None
    principals: tuple[str, ...] | None = None
    error_codes: tuple[str, ...] | None = None
    older_than_seconds: float | None = None

    def seen_by(self, principal: str | None) -> JobFilter:
        """Only those that the principal sees; raises PERMISSION_DENIED if it names another one."""
        principals = self.principals
        if principal is not None:
            if principals is not None and set(principals) != {principal}:
                raise WindmillError("PERMISSION_DENIED", "only an administrator chooses jobs by their principal")
            principals = (principal,)
        older = None if self.older_than_seconds is None else timedelta(seconds=self.older_than_seconds)
        return JobFilter(self.statuses, self.kinds, self.presets, principals, self.error_codes, older)


@dataclass(frozen=True)
class BulkRequest:
    """What is asked of each job; `reason` and `until` are of a pause, `from_step` of a retry."""

    verb: BulkVerb
    filter: BulkFilter = field(default_factory=BulkFilter)
    priority: int | None = None
    reason: str = ""
    until: datetime | None = None
    from_step: str | None = None

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "until": self.until.isoformat() if self.until else None}


def request_of(document: dict[str, Any]) -> BulkRequest:
    """From JSON."""
    given = dict(document)
    wanted: dict[str, Any] = given.pop("filter")
    until = given.pop("until")
    lists: dict[str, Any] = {name: tuple(one) if isinstance(one, list) else one for name, one in wanted.items()}
    chosen = BulkFilter(**lists)
    return BulkRequest(**given, filter=chosen, until=datetime.fromisoformat(until) if until else None)


def action_of(request: BulkRequest, by: str, store: ArtifactStore) -> JobAction:
    """Raises USAGE for a priority that is not given."""
    match request.verb:
        case "cancel":
            return cancelling(by)
        case "pause":
            return pausing(by, request.reason, request.until)
        case "resume":
            return resuming(by)
        case "retry":
            return retrying(request.from_step)
        case "delete":
            return removing(DeletedFiles(store).delete)
        case "priority":
            if request.priority is None:
                raise WindmillError("USAGE", "say which priority")
            return giving_priority(request.priority)

"""What the fleet knows of canaries, in memory."""

from dataclasses import dataclass, field

from windmill.core.errors import WindmillError
from windmill.core.services import CanaryKind


@dataclass
class FakeCanaryTable:
    """`error` is raised while there is one; `unsettled` is what `found` returns."""

    known: set[str] = field(default_factory=set)
    blind: set[str] = field(default_factory=set)
    unsettled: bool = False
    error: WindmillError | None = None
    noted: int = 0
    """How often it was noted that a canary was found."""

    async def found(self, service: str, kind: CanaryKind, seconds_ago: float) -> bool:
        if self.error:
            raise self.error
        self.noted += 1
        self.known.add(service)
        self.blind.discard(service)
        return self.unsettled

    async def missed(self, service: str) -> bool:
        if self.error:
            raise self.error
        self.blind |= {service} & self.known
        return service in self.known

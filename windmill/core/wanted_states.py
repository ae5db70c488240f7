"""What people want of services and steps for now, against what their settings say. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

EVERYTHING = "*"
"""The name that stands for all services and all steps."""


@dataclass(frozen=True)
class WantedState:
    """Of a service, a step or EVERYTHING. While it is `paused` no work is begun. `concurrency` is how many calls each
    process makes at once to a service, None for what is configured. `version` counts the changes."""

    name: str
    paused: bool = False
    paused_until: datetime | None = None
    reason: str = ""
    concurrency: int | None = None
    owner: str = ""
    version: int = 0
    changed_at: datetime | None = None


@dataclass(frozen=True)
class WantedStates:
    """All of them, by name."""

    by_name: Mapping[str, WantedState] = field(default_factory=dict)

    @classmethod
    def of(cls, states: Sequence[WantedState]) -> "WantedStates":
        return cls({one.name: one for one in states})

    def pause_of(self, name: str) -> WantedState | None:
        """What pauses it: its own state, or that of everything."""
        found = (self.by_name.get(one) for one in (name, EVERYTHING))
        return next((one for one in found if one and one.paused), None)

    def concurrency_of(self, name: str) -> int | None:
        own = self.by_name.get(name)
        return own.concurrency if own else None

    def own(self, name: str) -> WantedState:
        """Its own state; that of one of which nothing was ever wanted has the version 0."""
        return self.by_name.get(name) or WantedState(name)

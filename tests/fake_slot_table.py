"""The table fleet_slots in memory. `tests/conformance/database` holds it against the real one."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from windmill.core.errors import WindmillError

GONE_SECONDS = 2.0


@dataclass
class SlotRow:
    """One slot."""

    lease: UUID | None = None
    until: float = float("-inf")
    wanted_by: UUID | None = None
    wanted_at: float = float("-inf")


@dataclass
class FakeSlotTable:
    """`asked` is every statement in its order; `error` is raised while there is one. `unheard`, if set, is awaited
    after each lease, before its taker hears of it."""

    clock: Callable[[], float]
    rows: dict[tuple[str, int], SlotRow] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    error: WindmillError | None = None
    unheard: asyncio.Event | None = None

    async def create(self, service: str, slots: int) -> None:
        self._ask("create")
        for slot in range(slots):
            self.rows.setdefault((service, slot), SlotRow())

    async def take(
        self, service: str, slots: int, process: UUID, seconds: float, lease: UUID, *, queue: bool
    ) -> int | None:
        self._ask("take")
        rows = {slot: self.rows[service, slot] for slot in range(slots)}
        for slot, row in sorted(rows.items(), key=lambda one: one[1].wanted_by != process):
            if row.until <= self.clock() and (row.wanted_by in (None, process) or self._gone(row)):
                self.rows[service, slot] = SlotRow(lease, self.clock() + seconds)
                for other in rows.values():
                    if other.wanted_by == process:
                        other.wanted_by, other.wanted_at = None, float("-inf")
                if self.unheard:
                    await self.unheard.wait()
                return slot
        if not queue:
            return None
        mine = [row for row in rows.values() if row.wanted_by == process]
        for row in mine or [row for row in rows.values() if row.wanted_by is None or self._gone(row)][:1]:
            row.wanted_by, row.wanted_at = process, self.clock()
        return None

    async def renew(self, service: str, slot: int, lease: UUID, seconds: float) -> bool:
        self._ask("renew")
        row = self.rows[service, slot]
        if row.lease != lease or row.until <= self.clock():
            return False
        kept = row.wanted_by is None or self._gone(row)
        row.until = self.clock() + (seconds if kept else 0)
        return kept

    async def free(self, service: str, lease: UUID) -> None:
        self._ask("free")
        for (name, _), row in self.rows.items():
            if name == service and row.lease == lease:
                row.until = self.clock()

    def _gone(self, row: SlotRow) -> bool:
        return row.wanted_at <= self.clock() - GONE_SECONDS

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if self.error:
            raise self.error

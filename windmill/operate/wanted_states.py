"""Pausing services and steps, and changing how many calls are made at once, while the fleet runs. Every worker of every
machine follows within seconds: it finishes what it has begun, and begins nothing else. Each change has a row in the
audit log."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from windmill.core.errors import WindmillError
from windmill.core.services import Fleet
from windmill.core.setting_parts import DatabaseSettings
from windmill.core.wanted_states import EVERYTHING, WantedState, WantedStates
from windmill.storage import wanted_states as table
from windmill.storage.audit_log import Actor, write_audit
from windmill.storage.database import Pool
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction

MOST_CALLS = 1_000
_ALTERED = ("paused", "paused_until", "reason", "concurrency")


@dataclass(frozen=True)
class Pause:
    """Why, and until when; None for ever."""

    reason: str = ""
    until: datetime | None = None


@dataclass(frozen=True)
class WantedChanges:
    """Changes states for one who asks. `version` is that of the state as they have seen it, None for any."""

    pool: Pool
    settings: DatabaseSettings
    actor: Actor
    version: int | None = None

    async def pause(self, names: Sequence[str], pause: Pause) -> list[WantedState]:
        """Begin no more work for these services and steps."""
        if pause.until is not None and pause.until <= datetime.now(UTC):
            raise WindmillError("USAGE", "the pause would be over already", "name a time that is to come")

        def paused(state: WantedState) -> WantedState:
            return replace(state, paused=True, paused_until=pause.until, reason=pause.reason)

        return await self._change("services.pause", names, paused)

    async def resume(self, names: Sequence[str]) -> list[WantedState]:
        """Let them go on; one that is not paused stays as it is."""

        def resumed(state: WantedState) -> WantedState:
            return replace(state, paused=False, paused_until=None, reason="")

        return await self._change("services.resume", names, resumed)

    async def set_concurrency(self, names: Sequence[str], calls: int | None) -> list[WantedState]:
        """Make so many calls at once in each process; None is as configured."""
        if calls is not None and not 1 <= calls <= MOST_CALLS:
            raise WindmillError("USAGE", f"the concurrency is from 1 to {MOST_CALLS}")
        return await self._change("services.concurrency", names, lambda state: replace(state, concurrency=calls))

    async def _change(
        self, action: str, names: Sequence[str], change: Callable[[WantedState], WantedState]
    ) -> list[WantedState]:
        async with transaction(self.pool, self.settings) as connection:
            changed = []
            for name in sorted(names):
                before = await table.lock_wanted_state(connection, name)
                if self.version not in (None, before.version):
                    raise WindmillError("PRECONDITION_FAILED", "it has changed since you read it")
                after = change(before)
                if after != before:
                    after = await table.write_wanted_state(connection, replace(after, owner=self.actor.principal))
                    await write_audit(connection, self.actor, action, name, _told(before), _told(after))
                changed.append(after)
        return changed


async def read_wanted(pool: Pool, settings: DatabaseSettings) -> WantedStates:
    """What is wanted now."""
    async with transaction(pool, settings) as connection:
        return await table.read_wanted_states(connection)


async def read_step_names(pool: Pool, settings: DatabaseSettings) -> list[str]:
    """The steps that workers of this fleet have known."""
    async with transaction(pool, settings) as connection:
        return [row["step"] for row in await connection.fetch(queries()["list_steps"])]


def names_of(fleet: Fleet, steps: Collection[str], wanted: Sequence[str]) -> list[str]:
    """The services and steps that these names, sets and steps name; EVERYTHING stands for itself."""
    own = [one for one in wanted if one == EVERYTHING or one in steps]
    others = [one for one in wanted if one not in own]
    if not wanted:
        raise WindmillError("USAGE", "no service is named", "name services, sets of services or steps")
    return [*own, *([service.name for service in fleet.select(others)] if others else [])]


def is_altered(state: WantedState) -> bool:
    """Whether anything differs from what is configured."""
    return state.paused or state.concurrency is not None


def _told(state: WantedState) -> dict[str, Any]:
    return {name: value for name, value in wanted_document(state).items() if name in _ALTERED}


def wanted_document(state: WantedState) -> dict[str, Any]:
    """One as JSON."""
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(state).items()}

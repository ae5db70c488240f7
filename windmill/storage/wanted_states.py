"""The table `wanted_states`."""

from dataclasses import fields
from typing import Any

from windmill.core.wanted_states import WantedState, WantedStates
from windmill.storage.database import Connection
from windmill.storage.queries import queries


def _state(row: Any) -> WantedState:  # noqa: ANN401 - the driver's record
    return WantedState(**{one.name: row[one.name] for one in fields(WantedState)})


async def read_wanted_states(connection: Connection) -> WantedStates:
    return WantedStates.of([_state(row) for row in await connection.fetch(queries()["read_wanted_states"])])


async def lock_wanted_state(connection: Connection, name: str) -> WantedState:
    """The state of this name, locked until the transaction ends; it is made if it is not there."""
    await connection.execute(queries()["make_wanted_state"], name)
    return _state(await connection.fetchrow(queries()["lock_wanted_state"], name))


async def write_wanted_state(connection: Connection, state: WantedState) -> WantedState:
    """Write one that is locked; the same with its new version."""
    row = await connection.fetchrow(
        queries()["write_wanted_state"],
        *(state.name, state.paused, state.paused_until, state.reason, state.concurrency, state.owner),
    )
    return _state(row)

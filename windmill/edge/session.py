"""A session with the broker, in which lanes consume side by side; when it is lost, all of it is built anew."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence

from windmill import broker
from windmill.calling.service_state import ServiceState
from windmill.core.errors import WindmillError
from windmill.core.outages import Outage
from windmill.edge.lane import Lane
from windmill.process.lifecycle import Program
from windmill.process.runner import pause

logger = logging.getLogger(__name__)

TICK_SECONDS = 1.0

OpenLane = Callable[[ServiceState, broker.Consumption, broker.Publisher], Lane]


async def consume(
    program: Program,
    states: Sequence[ServiceState],
    open_lane: OpenLane,
    outage: Outage,
    on_session: Callable[[], None],
) -> None:
    """Jobs of these services in session after session, until the program is to stop; what has begun by then is
    finished within its grace. `on_session` is called whenever a session stands."""
    served = False
    while not program.stop.is_set():
        program.notifier.tick()
        try:
            async with _session(program, states, open_lane) as lanes:
                outage.over()
                served = True
                on_session()
                await _run(program, lanes)
                program.notifier.stopping()
                await _drain(program, lanes)
        except WindmillError as error:
            # A wrong password is told at the start; later the broker may be in the middle of being set up anew.
            if error.retry == "never" and not served:
                raise
            program.notifier.status(f"waits for the broker: {error.message}")
            await pause(program.stop, outage.failed(error))


@contextlib.asynccontextmanager
async def _session(program: Program, states: Sequence[ServiceState], open_lane: OpenLane) -> AsyncIterator[list[Lane]]:
    """Two connections, because RabbitMQ stops reading from one that publishes while it is short of memory."""
    settings = program.settings
    async with contextlib.AsyncExitStack() as stack:
        consuming = await stack.enter_async_context(broker.connection(settings, program.title))
        publishing = await stack.enter_async_context(broker.connection(settings, f"{program.title} publishing"))
        await broker.declare(consuming, settings, [state.service.name for state in states])
        publisher = await stack.enter_async_context(broker.publisher(publishing, settings))
        lanes = []
        for state in states:
            consumption = broker.consumption(consuming, settings, state.service.name)
            lanes.append(open_lane(state, await stack.enter_async_context(consumption), publisher))
        yield lanes


async def _run(program: Program, lanes: Sequence[Lane]) -> None:
    """All lanes until the program is to stop; the first one that is lost ends them all."""
    runs = [asyncio.ensure_future(lane.run(program.stop)) for lane in lanes]
    stopping = asyncio.ensure_future(program.stop.wait())
    try:
        while not any(task.done() for task in (stopping, *runs)):
            program.notifier.tick()
            await asyncio.wait([stopping, *runs], timeout=TICK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        for lane in lanes if program.stop.is_set() else []:
            lane.wake()
        await asyncio.gather(*runs)
    finally:
        for task in (stopping, *runs):
            task.cancel()
        await asyncio.gather(stopping, *runs, return_exceptions=True)


async def _drain(program: Program, lanes: Sequence[Lane]) -> None:
    try:
        async with asyncio.timeout(program.settings.shutdown_grace_seconds):
            await asyncio.gather(*(lane.edge.drained() for lane in lanes))
    except TimeoutError:
        left = sum(lane.state.in_progress for lane in lanes)
        logger.warning("jobs not finished in SHUTDOWN_GRACE_SECONDS go back to the queue", extra={"jobs": left})

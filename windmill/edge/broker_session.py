"""The worker's broker session: connections, and a consumer for each service; reconnects after a loss."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence

from windmill import broker
from windmill.calling.service_state import ServiceState
from windmill.core.errors import WindmillError
from windmill.core.outages import Outage
from windmill.edge.service_consumer import ServiceConsumer
from windmill.edge.shutdown_grace import drain
from windmill.process.lifecycle import Program
from windmill.process.runner import pause

TICK_SECONDS = 1.0

PROVEN_SECONDS = 5.0
"""A session that lasts so long works, even if there was no job to settle."""

OpenConsumer = Callable[[ServiceState, broker.ServiceConsumers, broker.Publisher], ServiceConsumer]
OpenSession = Callable[
    [Program, Sequence[ServiceState], OpenConsumer], contextlib.AbstractAsyncContextManager[list[ServiceConsumer]]
]


@contextlib.asynccontextmanager
async def _session(
    program: Program, states: Sequence[ServiceState], open_consumer: OpenConsumer
) -> AsyncIterator[list[ServiceConsumer]]:
    """Two connections, as RabbitMQ blocks one that publishes while it is short of memory."""
    settings = program.settings
    async with contextlib.AsyncExitStack() as stack:
        consuming = await stack.enter_async_context(broker.connection(settings, program.title))
        publishing = await stack.enter_async_context(broker.connection(settings, f"{program.title} publishing"))
        await broker.declare(consuming, settings, [state.service.name for state in states])
        # A memory alarm may last for hours; jobs in hand stay there meanwhile.
        patient = broker.publisher(publishing, settings, outlasts_blocking=True)
        publisher = await stack.enter_async_context(patient)
        consumers = []
        for state in states:
            both = broker.service_consumers(consuming, settings, state.service.name)
            consumers.append(open_consumer(state, await stack.enter_async_context(both), publisher))
        yield consumers


async def consume(
    program: Program,
    states: Sequence[ServiceState],
    open_consumer: OpenConsumer,
    outage: Outage,
    on_session: Callable[[], None],
    *,
    open_session: OpenSession = _session,
) -> None:
    """Consume the jobs of these services until the program stops, reconnecting after each lost session; then
    finish the jobs that have begun within the shutdown grace. `on_session` is called after each connect."""
    connected_before = False
    while not program.stop.is_set():
        program.notifier.tick()
        try:
            async with open_session(program, states, open_consumer) as consumers:
                if not outage.lasts:
                    outage.over()
                connected_before = True
                on_session()
                await _run(program, consumers, outage)
                program.notifier.stopping()
                await drain(consumers, program.settings.shutdown_grace_seconds)
        except WindmillError as error:
            # A wrong password is fatal at the start only: later the broker may just be restoring its users.
            if error.retry == "never" and not connected_before:
                raise
            program.notifier.status(f"waits for the broker: {error.message}")
            await pause(program.stop, outage.failed(error))


async def _run(program: Program, consumers: Sequence[ServiceConsumer], outage: Outage) -> None:
    """Run all consumers until the program stops; the first failure ends them all. An outage is over once the session
    has proved to work: a broker may accept connections and yet refuse to deliver."""
    proven_at = time.monotonic() + PROVEN_SECONDS
    runs = [asyncio.ensure_future(consumer.run(program.stop)) for consumer in consumers]
    stopping = asyncio.ensure_future(program.stop.wait())
    try:
        while not any(task.done() for task in (stopping, *runs)):
            program.notifier.tick()
            await asyncio.wait([stopping, *runs], timeout=TICK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if outage.lasts and (any(one.settled for one in consumers) or time.monotonic() >= proven_at):
                outage.over()
        for consumer in consumers if program.stop.is_set() else []:
            consumer.wake()
        await asyncio.gather(*runs)
    finally:
        for task in (stopping, *runs):
            task.cancel()
        await asyncio.gather(stopping, *runs, return_exceptions=True)

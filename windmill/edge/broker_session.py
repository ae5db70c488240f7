"""The worker's broker session: connections, and a consumer for each service; reconnects after a loss."""

import asyncio
import contextlib
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

OpenConsumer = Callable[[ServiceState, broker.Consumer, broker.Publisher], ServiceConsumer]


async def consume(
    program: Program,
    states: Sequence[ServiceState],
    open_consumer: OpenConsumer,
    outage: Outage,
    on_session: Callable[[], None],
) -> None:
    """Consume the jobs of these services until the program stops, reconnecting after each lost session; then
    finish the jobs that have begun within the shutdown grace. `on_session` is called after each connect."""
    connected_before = False
    while not program.stop.is_set():
        program.notifier.tick()
        try:
            async with _session(program, states, open_consumer) as consumers:
                outage.over()
                connected_before = True
                on_session()
                await _run(program, consumers)
                program.notifier.stopping()
                await drain(consumers, program.settings.shutdown_grace_seconds)
        except WindmillError as error:
            # A wrong password is fatal at the start only: later the broker may just be restoring its users.
            if error.retry == "never" and not connected_before:
                raise
            program.notifier.status(f"waits for the broker: {error.message}")
            await pause(program.stop, outage.failed(error))


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
        publisher = await stack.enter_async_context(broker.publisher(publishing, settings))
        consumers = []
        for state in states:
            consumption = broker.service_consumer(consuming, settings, state.service.name)
            consumers.append(open_consumer(state, await stack.enter_async_context(consumption), publisher))
        yield consumers


async def _run(program: Program, consumers: Sequence[ServiceConsumer]) -> None:
    """Run all consumers until the program stops; the first failure ends them all."""
    runs = [asyncio.ensure_future(consumer.run(program.stop)) for consumer in consumers]
    stopping = asyncio.ensure_future(program.stop.wait())
    try:
        while not any(task.done() for task in (stopping, *runs)):
            program.notifier.tick()
            await asyncio.wait([stopping, *runs], timeout=TICK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        for consumer in consumers if program.stop.is_set() else []:
            consumer.wake()
        await asyncio.gather(*runs)
    finally:
        for task in (stopping, *runs):
            task.cancel()
        await asyncio.gather(stopping, *runs, return_exceptions=True)

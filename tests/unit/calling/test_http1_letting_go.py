"""Exchanges that are cancelled, and connections that are closed or idle."""

import asyncio
import gc
from asyncio import StreamReader, StreamWriter
from contextlib import suppress

import pytest

from tests.unit.calling.http1_scene import GET, MOST, OK, Wire, a_moment, answering, ask, both
from tests.unit.loopback import Site, listening, on_each_loop, reply, request_of
from tests.unit.world import Clock
from tests.waiting import settled, turns, until
from windmill.calling.http1 import (
    Http1Client,
    HttpError,
    ProtocolError,
)
from windmill.calling.http1.connection import HttpConnection


@pytest.mark.parametrize("wait", [0, 1, 2, 3, 4, 5, 7, 10])
@pytest.mark.parametrize("kept", [False, True])
@on_each_loop
async def test_an_exchange_can_be_cancelled_wherever_it_waits(wait: int, kept: bool) -> None:
    """Its connection is closed, and what comes just then, a reply or a failure, troubles nobody."""
    for said in (OK, b"banana\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n"):
        async with both(answering(*([OK] if kept else []), said)) as (client, site):
            if kept:
                await ask(client, site)
            waiting = asyncio.ensure_future(ask(client, site, host="localhost"))
            await turns(wait)
            waiting.cancel()
            with suppress(asyncio.CancelledError, HttpError):
                await waiting
            await settled()


@pytest.mark.parametrize("said", [OK, b"banana\r\n\r\n", reply(bytes(MOST + 1))])
@on_each_loop
async def test_a_wait_that_ends_at_the_moment_of_the_reply_leaves_nothing_unheard(said: bytes) -> None:
    link, wire = HttpConnection(), Wire()
    link.connection_made(wire)
    waiting = asyncio.ensure_future(link.exchange([GET], MOST))
    await turns(1)
    link.data_received(said)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


@on_each_loop
async def test_closing_lets_running_exchanges_end_and_keeps_none_of_their_connections() -> None:
    gone = asyncio.Event()

    async def slow(reader: StreamReader, writer: StreamWriter, site: Site) -> None:
        await request_of(reader)
        await a_moment()
        writer.write(OK)
        await reader.read()
        gone.set()

    client = Http1Client()
    async with listening(slow) as site:
        running = asyncio.ensure_future(ask(client, site))
        await until(lambda: site.connections)
        client.close()
        assert (await running).body == b"ok"
        async with asyncio.timeout(5):
            await gone.wait()
        client.close()


@on_each_loop
async def test_the_connections_of_a_burst_are_let_go_when_they_idle() -> None:
    left = 0
    all_here = asyncio.Event()

    async def counting(reader: StreamReader, writer: StreamWriter, site: Site) -> None:
        nonlocal left
        await request_of(reader)
        if site.connections == 500:
            all_here.set()
        await all_here.wait()
        writer.write(OK)
        await reader.read()
        left += 1

    client = Http1Client(idle_seconds=0.2)
    async with listening(counting, backlog=500) as site:
        replies = await asyncio.gather(*(ask(client, site) for _ in range(500)))
        assert [said.body for said in replies] == [b"ok"] * 500
        assert (site.connections, left) == (500, 0)
        async with asyncio.timeout(5):
            await until(lambda: left == 500)
        client.close()


@on_each_loop
async def test_a_connection_that_is_in_use_now_and_then_is_kept() -> None:
    clock = Clock()
    client = Http1Client(idle_seconds=0.1, clock=clock)
    async with listening(answering(*[OK] * 10)) as site:
        for _ in range(10):
            await ask(client, site)
            clock.now += 0.04
            await a_moment()
        client.close()
    assert site.connections == 1


@on_each_loop
async def test_many_connections_that_fail_leave_nothing_open() -> None:
    async with both(answering(b"banana")) as (client, site):
        failures = await asyncio.gather(*(ask(client, site) for _ in range(100)), return_exceptions=True)
        assert {type(failure) for failure in failures} == {ProtocolError}
    assert not gc.garbage

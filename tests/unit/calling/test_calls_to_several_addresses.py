"""A service with several addresses: which one gets a call, and what happens when it does not take it."""

import asyncio

import pytest

from tests.unit.calling.calling_scene import JPEG, OK, at, refused
from tests.unit.loopback import Site, listening, on_each_loop, reply, request_of, serving
from tests.waiting import until
from windmill.calling.service_addresses import FailedAtAddress
from windmill.calling.service_client import ServiceClient
from windmill.core.settings import Settings


@on_each_loop
async def test_a_call_that_an_address_does_not_take_goes_to_the_next_at_once() -> None:
    async with serving(lambda path: reply(OK)) as gone:
        pass
    async with serving(lambda path: reply(OK)) as well:
        service = at(gone, well)
        async with ServiceClient(Settings.from_env({})) as opened:
            for _ in range(5):
                assert (await opened.upload(service, JPEG)).data
            assert [one.is_open for one in opened.addresses(service)] == [True, False]
    assert len(well.requests) == 5


@on_each_loop
async def test_an_address_that_turns_a_call_away_is_left_to_the_caller_to_judge() -> None:
    """It may turn away this image alone, and then the next address would, too."""
    busy = reply(b"", "503 Busy", "Retry-After: 30")
    async with serving(lambda path: busy) as full, serving(lambda path: reply(OK)) as well:
        service = at(full, well)
        async with ServiceClient(Settings.from_env({})) as opened:
            with pytest.raises(FailedAtAddress) as raised:
                await opened.upload(service, JPEG)
            assert (raised.value.code, raised.value.address.url.port) == ("SERVICE_OVERLOADED", full.port)
            assert not any(one.is_open for one in opened.addresses(service))
    assert not well.requests


@on_each_loop
async def test_a_call_does_not_go_on_to_further_addresses_for_longer_than_a_time_out() -> None:
    """The slot of the fleet that it holds would expire meanwhile. Its job goes back and counts no try."""
    async with serving(lambda path: reply(OK)) as gone, serving(lambda path: reply(OK)) as gone_too:
        pass
    moments = iter((0.0, 2.9, 3.0))
    async with serving(lambda path: reply(OK)) as well:
        service = at(gone, gone_too, well)
        settings = Settings.from_env({"REQUEST_TIMEOUT": "3"})
        async with ServiceClient(settings, clock=lambda: next(moments)) as opened:
            error = await refused(opened, service)
            assert (error.code, error.reached) == ("SERVICE_UNREACHABLE", False)
            assert opened.addresses(service).can_fail_over()
    assert well.requests == []


@on_each_loop
async def test_when_all_addresses_are_away_the_service_is_and_nothing_is_sent() -> None:
    async with serving(lambda path: reply(OK)) as gone, serving(lambda path: reply(OK)) as other:
        pass
    service = at(gone, other)
    async with ServiceClient(Settings.from_env({})) as opened:
        for _ in range(2):
            error = await refused(opened, service)
            assert (error.code, error.retry) == ("SERVICE_UNREACHABLE", "pause")
        assert "all 2 addresses of yolov8 are away" in error.message


@on_each_loop
async def test_a_failure_names_the_address_that_has_to_be_probed() -> None:
    async def hangs_up(_: str, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with serving(hangs_up) as broken, serving(lambda path: reply(OK)) as well:
        service = at(broken, well)
        async with ServiceClient(Settings.from_env({})) as opened:
            error = await refused(opened, service)
            assert isinstance(error, FailedAtAddress)
            assert error.address.url.port == broken.port
            assert await opened.addresses(service).find_outage(error)
            for _ in range(3):
                await opened.upload(service, JPEG)
    assert len(well.requests) == 3


@on_each_loop
async def test_calls_in_flight_are_spread_over_the_addresses() -> None:
    release = asyncio.Event()

    async def waiting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, site: Site) -> None:
        site.requests.append(await request_of(reader))
        await release.wait()
        writer.write(reply(OK))
        await reader.read()

    async with listening(waiting) as one, listening(waiting) as two:
        service = at(one, two)
        async with ServiceClient(Settings.from_env({})) as opened:
            calls = [asyncio.ensure_future(opened.upload(service, JPEG)) for _ in range(8)]
            await until(lambda: len(one.requests) + len(two.requests) == 8)
            release.set()
            await asyncio.gather(*calls)
    assert (len(one.requests), len(two.requests)) == (4, 4)

"""A login that is refused: by a broker that is about to go, and by one that means it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest
from aiormq import spec
from pamqp import frame
from pamqp.base import Frame

from windmill import broker
from windmill.broker import refusals
from windmill.core.errors import WindmillError
from windmill.core.settings import Settings

LOGIN = spec.Connection.Close(403, "ACCESS_REFUSED - Login was refused", 10, 11)
NO_HOST = spec.Connection.Close(530, "NOT_ALLOWED - vhost nope not found", 10, 40)
FULL = spec.Connection.Close(530, "NOT_ALLOWED - connection refused: user connection limit (1) is reached", 10, 40)
HOST_DOWN = spec.Connection.Close(541, "INTERNAL_ERROR - vhost '/' is down", 10, 40)
SHUTDOWN = spec.Connection.Close(320, "CONNECTION_FORCED - shutdown", 10, 40)
NOT_AMQP = b"HTTP/1.1 400 Bad Request\r\n\r\n"
OPENED = spec.Connection.OpenOk()

Answer = spec.Connection.Close | spec.Connection.OpenOk | bytes


class Broker:
    """Answers each connection in turn with one of `answers`, and hangs up on those after the last."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        self._answers = list(answers)
        self.asked = 0

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked += 1
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            if self._answers:
                await self._answer(self._answers.pop(0), reader, writer)
        writer.close()

    async def _answer(self, answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)
        if isinstance(answer, bytes):
            writer.write(answer)
            return
        _send(writer, spec.Connection.Start(server_properties={}))
        await _next(reader)
        if answer is not LOGIN:
            _send(writer, spec.Connection.Tune(heartbeat=0))
            await _next(reader)
            await _next(reader)
        _send(writer, answer)
        await _next(reader)
        _send(writer, spec.Connection.CloseOk())


def _send(writer: asyncio.StreamWriter, one: Frame) -> None:
    writer.write(frame.marshal(one, 0))


async def _next(reader: asyncio.StreamReader) -> None:
    _, _, length = frame.frame_parts(await reader.readexactly(7))
    await reader.readexactly((length or 0) + 1)


@asynccontextmanager
async def answering(*answers: Answer) -> AsyncIterator[tuple[Broker, Settings]]:
    one = Broker(answers)
    server = await asyncio.start_server(one.accept, "127.0.0.1", 0)
    async with server:
        yield one, replace(Settings.from_env({}), queue_host="127.0.0.1", queue_port=server.sockets[0].getsockname()[1])


async def failure(settings: Settings) -> WindmillError:
    with pytest.raises(WindmillError) as caught:
        async with broker.connection(settings, "test"):
            pass
    return caught.value


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "ASK_AGAIN_SECONDS", (0.01, 0.01))


@pytest.mark.parametrize("refused", [LOGIN, NO_HOST], ids=["login", "virtual host"])
async def test_a_refusal_that_is_repeated_is_told_with_the_words_of_the_broker(refused: spec.Connection.Close) -> None:
    async with answering(refused, refused, refused) as (one, settings):
        error = await failure(settings)
    assert (error.code, one.asked) == ("CONFIG_INVALID", 3)
    assert refused.reply_text in error.message


@pytest.mark.parametrize("refused", [LOGIN, NO_HOST], ids=["login", "virtual host"])
async def test_a_broker_that_refuses_and_then_is_gone_is_unavailable(refused: spec.Connection.Close) -> None:
    async with answering(refused) as (one, settings):
        error = await failure(settings)
    assert (error.code, one.asked) == ("BROKER_UNAVAILABLE", 2)


async def test_a_login_that_is_refused_once_is_tried_again() -> None:
    async with answering(LOGIN, NO_HOST, OPENED) as (one, settings), broker.connection(settings, "test") as opened:
        assert not opened.is_closed
    assert one.asked == 3


@pytest.mark.parametrize(
    "closed", [HOST_DOWN, SHUTDOWN, FULL], ids=["virtual host down", "shutdown", "one connection too many"]
)
async def test_a_broker_that_cannot_open_a_connection_now_is_unavailable(closed: spec.Connection.Close) -> None:
    async with answering(closed, OPENED) as (one, settings):
        error = await failure(settings)
    assert (error.code, one.asked) == ("BROKER_UNAVAILABLE", 1)
    assert closed.reply_text in error.message


async def test_a_server_that_speaks_no_amqp_is_no_refused_virtual_host() -> None:
    async with answering(NOT_AMQP) as (_, settings):
        error = await failure(settings)
    assert error.code == "BROKER_UNAVAILABLE"
    assert "virtual host" not in error.message

"""Connections to RabbitMQ. Driver exceptions become BROKER_UNAVAILABLE, or CONFIG_INVALID where a retry cannot help."""

import asyncio
import logging
import random
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import aio_pika
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import (
    CONNECTION_EXCEPTIONS,
    AuthenticationError,
    ChannelPreconditionFailed,
    InvalidFrameError,
    ProbableAuthenticationError,
)

from windmill.broker import refusals
from windmill.core.errors import WindmillError
from windmill.core.setting_parts import BrokerSettings
from windmill.kernels.net.server_addresses import ServerAddress, render_addresses

logger = logging.getLogger(__name__)

Connection = AbstractConnection
CONNECT_SECONDS = 10.0
"""For all servers together; each gets at least MIN_CONNECT_SECONDS."""
MIN_CONNECT_SECONDS = 3.0
CLOSE_SECONDS = 3.0
# The driver closes a connection after three and a half intervals without a heartbeat.
HEARTBEAT_SECONDS = 10
_ACCOUNT = (
    "correct QUEUE_USER, QUEUE_PASSWORD and QUEUE_VHOST, in .env or wherever you set them, or create them in RabbitMQ"
)
_CERTIFICATE = "correct QUEUE_HOST or QUEUE_TLS_CA, or give RabbitMQ a certificate for that name, signed by that CA"
_REDECLARE = "set QUEUE_TYPE to the type it has, or delete the queue once it is empty"


@contextmanager
def translate_errors(settings: BrokerSettings) -> Iterator[None]:
    """Translate exceptions of the driver into WindmillErrors."""
    try:
        yield
    except ChannelPreconditionFailed as error:
        raise WindmillError("CONFLICT", f"a queue exists with other arguments: {error}", _REDECLARE) from error
    except InvalidFrameError as error:
        raise _not_opened(settings, error) from error
    except (AuthenticationError, ProbableAuthenticationError) as error:
        raise WindmillError("CONFIG_INVALID", f"{_where(settings)}: {error}", _ACCOUNT) from error
    except (*CONNECTION_EXCEPTIONS, TimeoutError) as error:
        if isinstance(error.__cause__, ssl.SSLCertVerificationError):
            raise WindmillError("CONFIG_INVALID", f"{_where(settings)}: {error.__cause__}", _CERTIFICATE) from error
        reason = str(error) or type(error).__name__
        raise WindmillError("BROKER_UNAVAILABLE", f"{_where(settings)}: {reason}") from error


def _not_opened(settings: BrokerSettings, error: InvalidFrameError) -> WindmillError:
    """The broker closed the connection instead of opening the virtual host, or does not speak AMQP."""
    close = refusals.closed_with(error)
    said = f"{_where(settings)}: {close.reply_text if close else error}"
    if refusals.is_final(close):
        return WindmillError("CONFIG_INVALID", said, _ACCOUNT)
    return WindmillError("BROKER_UNAVAILABLE", said)


def _where(settings: BrokerSettings) -> str:
    return f"{settings.queue_user} at {render_addresses(settings.queue_servers())} vhost {settings.queue_vhost}"


@asynccontextmanager
async def connection(
    settings: BrokerSettings, name: str, *, heartbeat: int = HEARTBEAT_SECONDS
) -> AsyncIterator[Connection]:
    """A connection to any of the servers, called `name` in the management UI. Without a heartbeat, which is 0 seconds,
    it lives on while nothing runs the event loop, but never notices a server that is silent."""
    opened = await _open_unless_refused_again(settings, name, heartbeat)
    try:
        yield opened
    finally:
        await _close_quietly(opened)


async def _open_unless_refused_again(settings: BrokerSettings, name: str, heartbeat: int) -> Connection:
    """Ask again after a refused login: a broker that is shutting down refuses a correct one too."""
    for pause in refusals.ASK_AGAIN_SECONDS:
        try:
            return await _open_any(settings, name, heartbeat)
        except WindmillError as error:
            if not refusals.is_refused_login(error.__cause__):
                raise
            logger.debug("the broker refused the login; asking again", extra={"reason": error.message})
        await asyncio.sleep(pause)
    return await _open_any(settings, name, heartbeat)


async def _open_any(settings: BrokerSettings, name: str, heartbeat: int) -> Connection:
    """Try the servers in random order: this spreads the connections of a fleet over them, and a dead server delays
    nobody for long."""
    servers = settings.queue_servers()
    seconds = max(CONNECT_SECONDS / len(servers), MIN_CONNECT_SECONDS)
    failures: list[WindmillError] = []
    for server in random.sample(servers, len(servers)):
        try:
            with translate_errors(settings):
                return await _open(settings, server, name, seconds, heartbeat)
        except WindmillError as error:
            logger.debug("no connection to a broker", extra={"server": str(server), "reason": error.message})
            failures.append(error)
    # A rejected account is rejected by all servers; that another server is down says less.
    raise next((error for error in failures if error.code == "CONFIG_INVALID"), failures[-1])


class _Driver(aio_pika.Connection):
    """Closes itself if it cannot connect. Else the driver would do so when the object is collected, perhaps in another
    thread than the event loop's."""

    async def connect(self, timeout: float | None = None) -> None:
        try:
            await super().connect(timeout)
        except BaseException:
            await self.close()
            raise


async def _open(
    settings: BrokerSettings, server: ServerAddress, name: str, seconds: float, heartbeat: int
) -> Connection:
    return await aio_pika.connect(
        host=server.host,
        port=server.port,
        login=settings.queue_user,
        password=settings.queue_password,
        virtualhost=settings.queue_vhost,
        ssl=settings.queue_tls,
        ssl_context=_tls(settings),
        timeout=seconds,
        heartbeat=heartbeat,
        client_properties={"connection_name": name},
        connection_class=_Driver,
    )


def _tls(settings: BrokerSettings) -> ssl.SSLContext | None:
    return ssl.create_default_context(cafile=settings.queue_tls_ca) if settings.queue_tls else None


async def _close_quietly(opened: Connection) -> None:
    """Close a connection; if it is broken already, that must not mask the original exception."""
    try:
        await asyncio.wait_for(opened.close(), CLOSE_SECONDS)
    except (*CONNECTION_EXCEPTIONS, TimeoutError) as error:
        logger.debug("closing the broker connection failed", extra={"reason": str(error)})

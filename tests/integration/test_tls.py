"""TLS to RabbitMQ and PostgreSQL: a right certificate lets a job through, a wrong one is a mistake of the settings."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.fleet import Fleet
from tests.integration.proxy import LOOPBACK
from tests.integration.tls import NAME, Certificates, PostgresTlsRelay, TlsRelay, make_certificates
from windmill import broker
from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.storage import database

pytestmark = [pytest.mark.broker, pytest.mark.database]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
async def queues(fleet: Fleet, certificates: Certificates) -> AsyncIterator[TlsRelay]:
    relay = TlsRelay(fleet.settings.queue_host, fleet.settings.queue_port, certificates.server)
    async with relay:
        yield relay


@pytest.fixture
async def rows(fleet: Fleet, certificates: Certificates) -> AsyncIterator[PostgresTlsRelay]:
    relay = PostgresTlsRelay(fleet.settings.db_host, fleet.settings.db_port, certificates.server)
    async with relay:
        yield relay


def to_queues(relay: TlsRelay, authority: Path | None, host: str = NAME) -> dict[str, str]:
    named = {"QUEUE_TLS_CA": str(authority)} if authority else {}
    return {"QUEUE_HOST": host, "QUEUE_PORT": str(relay.port), "QUEUE_TLS": "true", **named}


def to_rows(relay: TlsRelay, mode: str, authority: Path | None = None, host: str = NAME) -> dict[str, str]:
    named = {"DB_SSLROOTCERT": str(authority)} if authority else {}
    return {"DB_HOST": host, "DB_PORT": str(relay.port), "DB_SSLMODE": mode, **named}


async def test_a_job_goes_its_whole_way_through_tls(
    fleet: Fleet, queues: TlsRelay, rows: PostgresTlsRelay, certificates: Certificates
) -> None:
    """From the producer to the worker, which finds no such file and says so in the table and in the failed queue."""
    encrypted = {
        **to_queues(queues, certificates.authority),
        **to_rows(rows, "verify-full", certificates.authority),
    }
    await fleet.register(1)
    assert (await fleet.produce("--services", "clip", **encrypted)).code == 0
    assert queues.relayed
    assert rows.relayed
    await fleet.worker("clip", **encrypted)
    assert [message.headers["windmill-code"] for message in await fleet.failed("clip")] == ["IMAGE_NOT_FOUND"]
    assert await fleet.count("error_code = 'IMAGE_NOT_FOUND'") == 1


@pytest.mark.parametrize(
    ("trusted", "host", "why"),
    [
        ("foreign", NAME, "unable to get local issuer certificate"),
        ("", NAME, "unable to get local issuer certificate"),
        ("authority", LOOPBACK, "not valid for '127.0.0.1'"),
    ],
)
async def test_a_broker_that_cannot_prove_who_it_is_gets_no_password(
    fleet: Fleet, queues: TlsRelay, certificates: Certificates, trusted: str, host: str, why: str
) -> None:
    """It is a mistake of the settings, for waiting would not mend it."""
    authority = getattr(certificates, trusted) if trusted else None
    settings = Settings.from_env({**fleet.environ, **to_queues(queues, authority, host)})
    with pytest.raises(WindmillError) as error:
        async with broker.connection(settings, "test"):
            pass
    assert error.value.code == "CONFIG_INVALID"
    assert why in error.value.message
    assert "QUEUE_TLS_CA" in error.value.remedy
    assert queues.relayed == 0


@pytest.mark.parametrize(
    ("mode", "trusted", "host"),
    [
        ("prefer", "", LOOPBACK),
        ("require", "", LOOPBACK),
        ("verify-ca", "authority", NAME),
        ("verify-ca", "authority", LOOPBACK),
        ("verify-full", "authority", NAME),
    ],
)
async def test_the_database_is_asked_encrypted_in_every_mode_that_its_certificate_fits(
    fleet: Fleet, rows: PostgresTlsRelay, certificates: Certificates, mode: str, trusted: str, host: str
) -> None:
    authority = getattr(certificates, trusted) if trusted else None
    settings = Settings.from_env({**fleet.environ, **to_rows(rows, mode, authority, host)})
    async with database.connection(settings, "test") as opened:
        assert await opened.fetchval("SELECT 1") == 1
    assert rows.relayed == 1


@pytest.mark.parametrize(
    ("mode", "trusted", "host", "why"),
    [
        ("verify-ca", "foreign", NAME, "unable to get local issuer certificate"),
        ("verify-full", "foreign", NAME, "unable to get local issuer certificate"),
        ("verify-full", "authority", LOOPBACK, "not valid for '127.0.0.1'"),
    ],
)
async def test_a_database_that_cannot_prove_who_it_is_gets_no_password(
    fleet: Fleet, rows: PostgresTlsRelay, certificates: Certificates, mode: str, trusted: str, host: str, why: str
) -> None:
    settings = Settings.from_env({**fleet.environ, **to_rows(rows, mode, getattr(certificates, trusted), host)})
    with pytest.raises(WindmillError) as error:
        async with database.connection(settings, "test"):
            pass
    assert error.value.code == "CONFIG_INVALID"
    assert why in error.value.message
    assert "DB_SSLROOTCERT" in error.value.remedy
    assert rows.relayed == 0


async def test_a_database_without_tls_is_not_asked_where_tls_is_required(fleet: Fleet) -> None:
    settings = Settings.from_env({**fleet.environ, "DB_SSLMODE": "require"})
    with pytest.raises(WindmillError, match="rejected SSL upgrade"):
        async with database.connection(settings, "test"):
            pass

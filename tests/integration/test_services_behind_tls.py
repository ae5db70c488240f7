"""Services behind a real nginx with TLS, a key and a prefix: calls, mistakes, and an address that dies."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from dev.farm.check import access_for, check_server
from tests.integration.fleet import Fleet
from tests.integration.tls import Certificates, make_certificates
from tests.integration.tls_gateway import KEY, TlsGateway, listens, tls_gateway
from tests.unit.loopback import Site, listening, reply, request_of
from tests.waiting import at_work, until
from windmill.calling.probe_image import PROBE_IMAGE
from windmill.calling.service_client import ServiceClient
from windmill.core.errors import WindmillError
from windmill.core.service_access import load_access
from windmill.core.services import Service, load_fleet
from windmill.core.settings import ROOT, Settings
from windmill.operate.doctor.services.ask import examine

ANSWER = json.dumps({"service": "clip", "status": "success", "predictions": []}).encode()
WITHOUT_IMAGE = json.dumps({"service": "clip", "status": "error"}).encode()
HEADERS = {"Authorization": "Bearer ${CLIP_KEY}"}
ENVIRON = {"CLIP_KEY": KEY}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
async def standin() -> AsyncIterator[Site]:
    """A service that answers every upload, and says who it is where there is none."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, site: Site) -> None:
        while True:
            request = await request_of(reader)
            site.requests.append(request)
            await at_work(0.02)
            writer.write(reply(ANSWER) if request.startswith(b"POST") else reply(WITHOUT_IMAGE, "400 Bad Request"))
            await writer.drain()

    async with listening(converse) as site:
        yield site


@pytest.fixture
def gateways() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
async def gateway(tmp_path: Path, gateways: ExitStack, certificates: Certificates, standin: Site) -> TlsGateway:
    return await opened(gateways, tmp_path / "nginx", certificates, standin)


async def opened(
    stack: ExitStack,
    home: Path,
    certificates: Certificates,
    standin: Site,
    *,
    expired: bool = False,
    client_ca: Path | None = None,
) -> TlsGateway:
    certificate = certificates.expired if expired else certificates.certificate
    made = tls_gateway(home, {"/v1/clip": standin.port}, certificate, certificates.key, client_ca)
    gateway = stack.enter_context(made)
    await listens(gateway)
    return gateway


def config(folder: Path, **entry: object) -> Path:
    """The shipped services, of which clip has another address."""
    document = json.loads((ROOT / "service_config.json").read_text())
    document["services"]["clip"] = {"headers": HEADERS, **entry}
    path = folder / "own_config.json"
    path.write_text(json.dumps(document))
    return path


def clip(folder: Path, **entry: object) -> Service:
    return load_fleet(config(folder, **entry)).services["clip"]


async def failure(service: Service, key: str = KEY, **variables: str) -> WindmillError:
    access = load_access([service], {"CLIP_KEY": key})
    async with ServiceClient(Settings.from_env(variables), access) as client:
        with pytest.raises(WindmillError) as error:
            await client.upload(service, PROBE_IMAGE)
    return error.value


async def test_an_image_goes_through_tls_with_its_key_and_under_its_prefix(
    tmp_path: Path, gateway: TlsGateway, certificates: Certificates, standin: Site
) -> None:
    service = clip(tmp_path, url=gateway.url("/v1/clip"), ca=str(certificates.authority))
    async with ServiceClient(Settings.from_env({}), load_access([service], ENVIRON)) as client:
        for _ in range(3):
            assert (await client.upload(service, PROBE_IMAGE)).data == ANSWER.decode()
    assert len(standin.requests) == 3
    assert all(request.startswith(b"POST /analyze HTTP/1.") for request in standin.requests)
    assert all(PROBE_IMAGE in request for request in standin.requests)


@pytest.mark.parametrize("size", [0, 70_000, 3_000_000])
async def test_images_of_every_size_arrive_whole(
    tmp_path: Path, gateway: TlsGateway, certificates: Certificates, standin: Site, size: int
) -> None:
    service = clip(tmp_path, url=gateway.url("/v1/clip"), ca=str(certificates.authority))
    image = PROBE_IMAGE + bytes(range(256)) * (size // 256)
    async with ServiceClient(Settings.from_env({}), load_access([service], ENVIRON)) as client:
        await asyncio.gather(*(client.upload(service, image) for _ in range(4)))
    assert len(standin.requests) == 4
    assert all(image in request for request in standin.requests)


async def test_a_wrong_key_pauses_the_service_and_is_not_shown(
    tmp_path: Path, gateway: TlsGateway, certificates: Certificates, standin: Site, caplog: pytest.LogCaptureFixture
) -> None:
    service = clip(tmp_path, url=gateway.url("/v1/clip"), ca=str(certificates.authority))
    with caplog.at_level(logging.DEBUG):
        error = await failure(service, "k-wrong-0815")
    assert (error.code, error.retry) == ("SERVICE_UNREACHABLE", "pause")
    assert "401" in error.message
    assert "k-wrong-0815" not in f"{error!s} {error!r} {caplog.text}"
    assert standin.requests == []


@pytest.mark.parametrize(
    ("trusted", "host", "expired", "why"),
    [
        ("foreign", "localhost", False, "unable to get local issuer certificate"),
        ("", "localhost", False, "unable to get local issuer certificate"),
        ("authority", "127.0.0.1", False, "not valid for '127.0.0.1'"),
        ("authority", "localhost", True, "certificate has expired"),
    ],
)
async def test_a_service_that_cannot_prove_who_it_is_gets_no_key(
    tmp_path: Path,
    gateways: ExitStack,
    certificates: Certificates,
    standin: Site,
    trusted: str,
    host: str,
    expired: bool,
    why: str,
) -> None:
    gateway = await opened(gateways, tmp_path / "nginx", certificates, standin, expired=expired)
    ca = {"ca": str(getattr(certificates, trusted))} if trusted else {}
    service = clip(tmp_path, url=gateway.url("/v1/clip", host), **ca)
    error = await failure(service)
    assert (error.code, error.retry) == ("SERVICE_UNREACHABLE", "pause")
    assert "its certificate is not accepted" in error.message
    assert why in error.message
    assert "ca and client_certificate" in error.remedy
    assert standin.requests == []
    assert gateway.requests() == []


async def test_a_client_certificate_is_shown_to_a_gateway_that_asks_for_one(
    tmp_path: Path, gateways: ExitStack, certificates: Certificates, standin: Site
) -> None:
    gateway = await opened(gateways, tmp_path / "nginx", certificates, standin, client_ca=certificates.authority)
    entry = {"url": gateway.url("/v1/clip"), "ca": str(certificates.authority)}
    assert (await failure(clip(tmp_path, **entry))).code == "SERVICE_REJECTED"
    own = {"client_certificate": str(certificates.certificate), "client_key": str(certificates.key)}
    service = clip(tmp_path, **entry, **own)
    async with ServiceClient(Settings.from_env({}), load_access([service], ENVIRON)) as client:
        assert (await client.upload(service, PROBE_IMAGE)).data


async def test_plain_http_at_a_port_of_tls_and_the_reverse_say_so(
    tmp_path: Path, gateway: TlsGateway, certificates: Certificates, standin: Site
) -> None:
    swapped = clip(tmp_path, url=f"https://localhost:{standin.port}", ca=str(certificates.authority))
    error = await failure(swapped, REQUEST_TIMEOUT="3")
    assert error.code == "SERVICE_UNREACHABLE"
    plain = clip(tmp_path, url=f"http://localhost:{gateway.port}/v1/clip")
    assert "plain HTTP request was sent to HTTPS port" in (await failure(plain)).message


async def test_the_doctor_and_the_contract_check_reach_the_service_and_show_no_key(
    tmp_path: Path,
    gateway: TlsGateway,
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CLIP_KEY", KEY)
    service = clip(tmp_path, url=gateway.url("/v1/clip"), ca=str(certificates.authority))
    settings = Settings.from_env({})
    [found] = await examine(settings, [service], 10, health=False)
    assert (found.state, found.found) == ("ok", f"answers as clip at {gateway.url('/v1/clip/analyze')}")
    url = gateway.url("/v1/clip")
    access = access_for(url, service, settings)
    checked = await asyncio.to_thread(check_server, url, "clip", with_health=False, timeout=10, access=access)
    assert any(one.probe == "upload of a JPEG" for one in checked)
    assert KEY not in f"{found} {checked}"
    assert all("401" not in departure for one in checked for departure in one.departures)
    assert access_for("https://elsewhere.example/v1/clip", service, settings).headers == ()


async def test_the_doctor_names_the_certificate_and_the_variable_that_are_wrong(
    tmp_path: Path, gateway: TlsGateway, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = clip(tmp_path, url=gateway.url("/v1/clip"), ca=str(certificates.foreign))
    monkeypatch.delenv("CLIP_KEY", raising=False)
    [missing] = await examine(Settings.from_env({}), [service], 10, health=False)
    assert missing.state == "problem"
    assert "CLIP_KEY" in missing.found
    monkeypatch.setenv("CLIP_KEY", KEY)
    [foreign] = await examine(Settings.from_env({}), [service], 10, health=False)
    assert "unable to get local issuer certificate" in foreign.found
    right = clip(tmp_path, url=gateway.url("/v1/clip"), ca=str(certificates.authority))
    monkeypatch.setenv("CLIP_KEY", "k-wrong-0815")
    [denied] = await examine(Settings.from_env({}), [right], 10, health=False)
    assert "401: it denies access" in denied.found
    assert "k-wrong-0815" not in str(denied)


@pytest.mark.broker
@pytest.mark.database
async def test_an_address_that_dies_costs_no_job_a_try_and_the_other_goes_on_at_once(
    fleet: Fleet, tmp_path: Path, gateways: ExitStack, certificates: Certificates, standin: Site
) -> None:
    """Both nginx answer for the same stand-in; one is killed while it has jobs in progress."""
    both = [await opened(gateways, tmp_path / name, certificates, standin) for name in ("first", "second")]
    dying, living = both
    own = config(tmp_path, urls=[one.url("/v1/clip") for one in both], ca=str(certificates.authority), concurrency=8)
    fleet.environ |= {"SERVICE_CONFIG": str(own), **ENVIRON}
    await fleet.register_pictures(400)
    assert (await fleet.produce("--services", "clip")).code == 0
    worker = await fleet.worker("clip")
    await until(lambda: len(dying.requests()) >= 60, 60)
    shares = len(dying.requests()), len(living.requests())
    dying.kill()
    before = len(living.requests())
    await until(lambda: len(living.requests()) >= before + 20, 10, lambda: worker.log)
    await fleet.stored(400)
    rows = await fleet.results("clip")
    assert {row["attempt"] for row in rows} == {1}, "no try was counted"
    assert {row["status"] for row in rows} == {"success"}
    assert abs(shares[0] - shares[1]) <= 12, f"each has half of the calls: {shares}"
    assert await fleet.depth("clip", ".failed") == 0
    end = await worker.stop()
    assert end.code == 0, end.err
    assert "service clip at https://localhost" in end.err
    assert KEY not in end.err


@pytest.mark.broker
@pytest.mark.database
async def test_a_worker_without_its_key_does_not_start(fleet: Fleet, tmp_path: Path) -> None:
    own = config(tmp_path, url="https://gpu.example")
    end = await fleet.run("workers.generic", SERVICE_NAME="clip", SERVICE_CONFIG=str(own))
    assert end.code == 2
    assert "CLIP_KEY='': is not set, but the service clip needs it for its header Authorization" in end.err

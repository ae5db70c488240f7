"""The HTTP gateway: which run, whether one listens here, and what would keep one from serving. A machine needs none."""

import asyncio
import ipaddress
from importlib.util import find_spec

import orjson

from windmill import VERSION
from windmill.core.errors import WindmillError
from windmill.core.extras import install_extra
from windmill.core.settings import Settings
from windmill.operate.doctor.findings import DoctorFinding, ok, problem, skipped, warning
from windmill.storage import database
from windmill.storage.api_keys import is_there_any_key
from windmill.storage.queries import queries
from windmill.submit.uploads import UploadFolder

LIBRARIES = ("fastapi", "uvicorn", "pydantic")
LOST_SECONDS = 60.0
MOST_BYTES = 65_536
REQUEST = b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n"


async def examine(settings: Settings, seconds: float) -> list[DoctorFinding]:
    """Whoever has no gateway is told so, and nothing is wrong with that."""
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    if missing:
        said = f"cannot run here, without {', '.join(missing)}; who wants it, {install_extra('gateway')}"
        return [ok("gateway", "libraries", said)]
    known, listening = await asyncio.gather(_known(settings, seconds), _listening(settings, seconds))
    return [*known, listening, _uploads(settings)]


async def _known(settings: Settings, seconds: float) -> list[DoctorFinding]:
    """What the database knows of gateways and keys."""
    try:
        async with asyncio.timeout(seconds), database.connection(settings, "windmill doctor") as connection:
            rows = await connection.fetch(queries()["list_workers"], ["gateway"], LOST_SECONDS)
            keys = await is_there_any_key(connection)
    except (WindmillError, TimeoutError):
        return [skipped("gateway", "gateways", "the database does not answer")]
    alive = [f"{row['worker_id']} on {row['host']}" for row in rows if not row["lost"]]
    running = ok("gateway", "gateways", f"{len(alive)} run: {', '.join(alive)}" if alive else "none runs")
    return [running, _door(settings.gateway_host, keys=keys)]


async def _listening(settings: Settings, seconds: float) -> DoctorFinding:
    """Whether what listens at its address is a gateway, and of this version."""
    host, port = reachable(settings.gateway_host), settings.gateway_port
    name = f"{host}:{port}"
    try:
        answer = await asyncio.wait_for(_ask(host, port), seconds)
    except (OSError, TimeoutError):
        return ok("gateway", name, "nothing listens there; start one: python -m gateway")
    if not isinstance(answer, dict) or "worker_running" not in answer:
        return warning("gateway", name, "something else listens there", "set another GATEWAY_PORT")
    if answer.get("version") != VERSION:
        said = f"a gateway of version {answer.get('version')} listens there, and this is {VERSION}"
        return warning("gateway", name, said, "start it again")
    works = "works" if answer["worker_running"] else "works on steps of jobs: start STEPS=all python -m workers.jobs"
    return ok("gateway", name, f"listens, and {'somebody' if answer['worker_running'] else 'nobody'} {works}")


async def _ask(host: str, port: int) -> object:
    """What it says of its health, None if that is no JSON."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(REQUEST)
        _, _, body = (await reader.read(MOST_BYTES)).partition(b"\r\n\r\n")
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    finally:
        writer.close()


def reachable(host: str) -> str:
    """The address by which this machine reaches it; one that stands for all is reached by each."""
    bare = host.strip("[]")
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bare, bare)  # noqa: S104 - compared, not listened on


def _door(host: str, *, keys: bool) -> DoctorFinding:
    if keys:
        return ok("gateway", "keys", "every request needs one")
    if _is_loopback(host):
        return ok("gateway", "keys", "there are none: everybody on this machine may do all, and nobody else anything")
    remedy = "make one: python -m windmill keys create NAME --scope admin"
    return problem("gateway", "keys", f"there are none, and GATEWAY_HOST={host} is reached from elsewhere", remedy)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _uploads(settings: Settings) -> DoctorFinding:
    folder = settings.gateway_uploads_dir
    trouble = UploadFolder(folder, settings.image_root, settings.max_image_bytes).trouble()
    if trouble is None:
        return ok("gateway", "GATEWAY_UPLOADS_DIR", f"{folder}, below IMAGE_ROOT")
    return ok("gateway", "GATEWAY_UPLOADS_DIR", f"no images can be sent in: {folder} {trouble.allowed}")

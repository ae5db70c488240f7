"""A smoke test of the gateway: python -m dev.smoke, or with --url and --key of one that runs

Alone it starts private servers unless they run, the stand-in services, workers, and a gateway, all with a database and
queues of their own; it asks what users ask first, and stops what it started. Each check is one line; then come the
counts. The exit code is 0 if all checks passed.
"""

import argparse
import asyncio
import logging
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson

from dev.demo import LOCAL, free_offset, private_servers
from dev.programs import Interrupted, ProgramFailed, ProgramRunner
from dev.servers import databases, ports
from dev.smoke_checks import Check, SmokeFailed, checks
from windmill import broker
from windmill.client import Client
from windmill.core.errors import WindmillError
from windmill.core.services import load_fleet
from windmill.core.settings import ROOT, Settings, defaults, named_by_user
from windmill.pipelines.job_steps.catalog import STEPS
from windmill.process.runner import DONE, FAILED, INTERRUPTED, run

HOME = ROOT / "var" / "smoke"
CONFIG = HOME / "config" / "service_config.json"
DATABASE, PREFIX = "windmill_smoke", "smoke_"
OWN_ENGINES = {"local_comfy": {"kind": "builtin"}}
"""The built-in engine stands in for one with a model."""


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m dev.smoke", description=__doc__)
    top.add_argument("--url", metavar="URL", help="smoke the gateway there, and start nothing")
    top.add_argument("--key", metavar="KEY", default="", help="the key for it; one of the scope operator is enough")
    top.add_argument("--state", type=Path, default=LOCAL, metavar="DIR", help="of the servers (var/local)")
    return top


def smoke(url: str, key: str = "") -> bool:
    """Run every check; whether all passed."""
    logging.getLogger("httpx").setLevel(logging.WARNING)
    started, counts = time.monotonic(), {True: 0, False: 0}
    with Client(url, key or None) as client:
        for check in checks(client):
            counts[_passes(check, client)] += 1
    seconds = time.monotonic() - started
    sys.stdout.write(f"{counts[True]} passed, {counts[False]} failed in {seconds:.0f} s: {url}\n")
    return not counts[False]


def _passes(check: Check, client: Client) -> bool:
    try:
        check.run(client)
    except (SmokeFailed, WindmillError, OSError, ValueError, KeyError) as error:
        sys.stdout.write(f"FAILED  {check.name}: {error}\n")
        return False
    sys.stdout.write(f"ok      {check.name}\n")
    return True


async def main(stop: asyncio.Event, options: argparse.Namespace) -> int:
    if options.url:
        return DONE if await asyncio.to_thread(smoke, options.url, options.key) else FAILED
    with private_servers(options.state) as addresses:
        environ = _environ(addresses)
        settings = Settings.from_env(environ)
        try:
            async with ProgramRunner({**named_by_user(), **environ}, HOME, stop) as programs:
                await _reset(settings)
                await _start(programs, environ)
                url = f"http://127.0.0.1:{environ['GATEWAY_PORT']}"
                return DONE if await asyncio.to_thread(smoke, url) else FAILED
        except ProgramFailed as error:
            sys.stderr.write(f"{error}\n")
            return FAILED
        except Interrupted:
            return INTERRUPTED


def _environ(addresses: Mapping[str, str]) -> dict[str, str]:
    """Addresses of servers come from the user, everything else from the defaults."""
    CONFIG.parent.mkdir(parents=True, exist_ok=True)
    config = orjson.loads((ROOT / "service_config.json").read_bytes())
    CONFIG.write_bytes(orjson.dumps({**config, "engines": OWN_ENGINES}))
    offset = free_offset(load_fleet(ROOT / "service_config.json"))
    own = {
        "DB_NAME": DATABASE,
        "QUEUE_PREFIX": PREFIX,
        "SERVICE_HOST": ports.LOOPBACK,
        "SERVICE_PORT_OFFSET": str(offset),
        "SERVICE_CONFIG": str(CONFIG),
        "ARTIFACTS_URL": str(HOME / "artifacts"),
        "GATEWAY_PORT": str(_free_port(8_000 + offset)),
    }
    return {**defaults(), **addresses, **own}


def _free_port(first: int) -> int:
    return next(port for port in range(first, first + 100) if ports.is_free(port))


async def _reset(settings: Settings) -> None:
    await databases.drop(settings, DATABASE)
    await databases.create(settings, DATABASE)
    async with broker.connection(settings, "windmill-smoke") as opened:
        await broker.delete_queues(opened, settings, list(load_fleet(settings.service_config).services))
        await broker.delete_step_queues(opened, settings, [step.name for step in STEPS])


async def _start(programs: ProgramRunner, environ: Mapping[str, str]) -> None:
    fleet = load_fleet(Path(environ["SERVICE_CONFIG"]))
    services = [service.port + int(environ["SERVICE_PORT_OFFSET"]) for service in fleet.services.values()]
    programs.start("farm", "-m", "dev.farm", "--keep-alive")
    await programs.run("-m", "windmill", "migrate")
    await programs.run("-m", "windmill", "declare")
    programs.start("jobs", "-m", "workers.jobs", STEPS="all")
    programs.start("worker", "-m", "workers.generic", SERVICE_NAME="all")
    programs.start("gateway", "-m", "gateway")
    await _until_listening(programs, services, int(environ["GATEWAY_PORT"]))


async def _until_listening(programs: ProgramRunner, services: Sequence[int], gateway: int) -> None:
    await programs.until_listening("farm", services)
    await programs.until_listening("gateway", [gateway])


if __name__ == "__main__":
    given = parser().parse_args()
    sys.exit(run(lambda _, stop: main(stop, given)))

"""Running the farm: open all ports, wait for a signal, close them."""

import argparse
import asyncio
import json
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from dev.farm.addresses import DEFAULT_PORT
from dev.farm.audio.server import serving_audio
from dev.farm.comfyui.server import ComfyUiStandIn, serving
from dev.farm.control import Control
from dev.farm.prediction_pool import PredictionPool
from dev.farm.real import load_real
from dev.farm.server import Farm, StandInAddress, cannot_open, must_be_a_port
from windmill.core.services import load_fleet
from windmill.core.settings import Settings
from windmill.process.logs import configure


def serve(arguments: argparse.Namespace, settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT."""
    configure(settings.log_level, settings.log_format)
    offset = settings.service_port_offset if arguments.port_offset is None else arguments.port_offset
    wanted = arguments.services or ",".join(settings.service_name) or "all"
    services = load_fleet(settings.service_config).select(wanted)
    plots = [StandInAddress(one.name, one.port + offset, one.path) for one in services if not one.urls]
    if by_url := [service.name for service in services if service.urls]:
        sys.stderr.write(f"no stand-in for {', '.join(by_url)}: a URL leads to the service itself\n")
    control_port = arguments.control_port or DEFAULT_PORT + offset
    pool = _pool(arguments)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(plots, control_port, arguments, pool))
    return 0


def serve_comfyui(arguments: argparse.Namespace, settings: Settings) -> int:
    """Serve the stand-in for ComfyUI until SIGTERM or SIGINT."""
    configure(settings.log_level, settings.log_format)
    must_be_a_port("comfyui", arguments.host, arguments.port)
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve_comfyui(arguments.folder or Path(folder), arguments))
    return 0


async def _serve_comfyui(folder: Path, arguments: argparse.Namespace) -> None:
    stopped = _stop_event()
    try:
        async with serving(ComfyUiStandIn(folder), arguments.host, arguments.port) as url:
            sys.stdout.write(f"{'comfyui':14} {url}\nready\n")
            sys.stdout.flush()
            await stopped.wait()
    except OSError as error:
        raise cannot_open("comfyui", arguments.host, arguments.port, error) from error


def serve_audio(arguments: argparse.Namespace, settings: Settings) -> int:
    """Serve the stand-in for servers that listen until SIGTERM or SIGINT."""
    configure(settings.log_level, settings.log_format)
    must_be_a_port("audio", arguments.host, arguments.port)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve_audio(arguments))
    return 0


async def _serve_audio(arguments: argparse.Namespace) -> None:
    stopped = _stop_event()
    try:
        async with serving_audio(arguments.host, arguments.port) as url:
            sys.stdout.write(f"{'audio':14} {url}\nready\n")
            sys.stdout.flush()
            await stopped.wait()
    except OSError as error:
        raise cannot_open("audio", arguments.host, arguments.port, error) from error


def _stop_event() -> asyncio.Event:
    """Set by SIGTERM and SIGINT."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    return stopped


def _pool(arguments: argparse.Namespace) -> PredictionPool:
    """What answers: the stand-ins, or real models, of which those that are missing are fetched first."""
    if not arguments.real:
        return PredictionPool(arguments.seed)
    return PredictionPool(arguments.seed, load_real(accept_unstated=arguments.accept_unstated_licences))


async def _serve(
    plots: list[StandInAddress], control_port: int, arguments: argparse.Namespace, pool: PredictionPool
) -> None:
    stopped = _stop_event()
    farm = Farm(plots, host=arguments.host, seed=arguments.seed, keep_alive=arguments.keep_alive, pool=pool)
    async with farm, Control(farm, control_port) as control:
        _announce(farm, control, as_json=arguments.json)
        await stopped.wait()


def _announce(farm: Farm, control: Control, *, as_json: bool) -> None:
    addresses = {name: farm.url(name) for name in farm.gates}
    if as_json:
        sys.stdout.write(json.dumps({"control": control.url, "services": addresses}) + "\n")
    else:
        sys.stdout.writelines(f"{name:14} {url}\n" for name, url in addresses.items())
        sys.stdout.write(f"{'control':14} {control.url}\nready: {len(addresses)} stand-ins\n")
    sys.stdout.flush()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop

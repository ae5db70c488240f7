"""The command line of the farm."""

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from dev.farm import commands
from dev.farm.addresses import DEFAULT_PORT, LOOPBACK
from dev.farm.check import check
from dev.farm.faults import render_faults_help
from windmill.cli.options import Commands
from windmill.core.errors import WindmillError
from windmill.core.settings import Settings, load_settings

_EXAMPLES = """commands at work:
  python -m dev.farm --services detectors
  python -m dev.farm --real
  python -m dev.farm fault set yolov8 error-rate=0.3 slowness=0.2
  python -m dev.farm fault clear all
  python -m dev.farm counts --json
  python -m dev.farm check http://localhost:7773 --service yolov8
  python -m dev.farm comfyui --port 8188
  python -m dev.farm check http://localhost:8188 --service comfyui
  python -m dev.farm audio --port 7790

With no command the farm serves until it is stopped. Services are named one by one or by the sets of
service_config.json. Every stand-in says framework windmill-farm in model_info; with --real, model_info
names the model, and a service for which there is none says so (503) instead of making up an answer.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 is success, else the exit code of what went wrong."""
    arguments = build_parser().parse_args(argv)
    try:
        status: int = arguments.run(arguments, load_settings())
    except WindmillError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return status


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m dev.farm",
        description="Stand-ins for the services of service_config.json: their HTTP contract, each on its own port.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_serving(parser)
    found = parser.add_subparsers(title="commands", metavar="fault | counts | check | comfyui | audio")
    _add_fault(found)
    _add_counts(found)
    _add_check(found)
    _add_comfyui(found)
    _add_audio(found)
    return parser


def _running(name: str) -> Callable[[argparse.Namespace, Settings], int]:
    """What serves loads all that draws; commands that ask a farm at work do not wait for it."""

    def run(arguments: argparse.Namespace, settings: Settings) -> int:
        serve: Callable[[argparse.Namespace, Settings], int]
        serve = getattr(importlib.import_module("dev.farm.running"), name)
        return serve(arguments, settings)

    return run


def _add_serving(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--services", help="services and sets, comma-separated (default: SERVICE_NAME, else all)")
    parser.add_argument("--host", default=LOOPBACK, help="address to listen on (default: %(default)s)")
    parser.add_argument("--port-offset", type=int, help="added to every port (default: SERVICE_PORT_OFFSET)")
    parser.add_argument("--seed", type=int, default=0, help="decides answers and faults (default: %(default)s)")
    parser.add_argument("--keep-alive", action="store_true", help="keep connections; the real services close each")
    parser.add_argument(
        "--real", action="store_true", help="answer with real models where there are any (docs/models.md)"
    )
    parser.add_argument(
        "--accept-unstated-licences", action="store_true", help="use models whose packages state no licence, too"
    )
    parser.add_argument("--json", action="store_true", help="print the addresses as one line of JSON")
    _add_control_port(parser)
    parser.set_defaults(run=_running("serve"))


def _add_fault(found: Commands) -> None:
    fault = found.add_parser("fault", help="switch misbehaviour on and off while the farm runs")
    verbs = fault.add_subparsers(title="verbs", required=True, metavar="set | clear | show")
    turn_on = verbs.add_parser(
        "set",
        help="turn knobs, leaving the others as they are",
        description=f"A -rate goes from 0 to 1; a name alone means 1; =0 switches off.\n\n{render_faults_help()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    turn_on.add_argument("services", help="services and sets, comma-separated, or all")
    turn_on.add_argument("changes", nargs="+", metavar="fault=value", help="such as error-rate=0.3, or down")
    turn_on.set_defaults(run=commands.fault_set)
    clear = verbs.add_parser("clear", help="behave again")
    clear.add_argument("services", help="services and sets, comma-separated, or all")
    clear.set_defaults(run=commands.fault_clear)
    show = verbs.add_parser("show", help="which faults are on")
    show.add_argument("--json", action="store_true", help="as JSON")
    show.set_defaults(run=commands.fault_show)
    for verb in (turn_on, clear, show):
        _add_control_port(verb)


def _add_counts(found: Commands) -> None:
    counts = found.add_parser("counts", help="requests by route and status; status 0 is a request left unanswered")
    counts.add_argument("--json", action="store_true", help="as JSON")
    counts.add_argument("--reset", action="store_true", help="start again from zero after showing")
    _add_control_port(counts)
    counts.set_defaults(run=commands.counts)


def _add_check(found: Commands) -> None:
    checker = found.add_parser("check", help="test any server, real or not, against a service's contract")
    checker.add_argument("url", help="where it listens, such as http://localhost:7773")
    checker.add_argument("--service", required=True, help="whose contract: its name in service_config.json, or comfyui")
    checker.add_argument(
        "--health", action="store_true", help="ask /health too, once: real ones run their model for it"
    )
    checker.add_argument("--timeout", type=float, default=30.0, help="seconds per request (default: %(default)s)")
    checker.add_argument("--json", action="store_true", help="as JSON")
    checker.set_defaults(run=check)


def _add_comfyui(found: Commands) -> None:
    serving = found.add_parser("comfyui", help="serve the stand-in for a ComfyUI server, until it is stopped")
    serving.add_argument("--host", default=LOOPBACK, help="address to listen on (default: %(default)s)")
    serving.add_argument("--port", type=int, default=8188, help="port to listen on (default: %(default)s)")
    serving.add_argument("--folder", type=Path, help="where its files are (default: a temporary folder)")
    serving.set_defaults(run=_running("serve_comfyui"))


def _add_audio(found: Commands) -> None:
    serving = found.add_parser("audio", help="serve the stand-in for servers that listen, until it is stopped")
    serving.add_argument("--host", default=LOOPBACK, help="address to listen on (default: %(default)s)")
    serving.add_argument("--port", type=int, default=7790, help="port to listen on (default: %(default)s)")
    serving.set_defaults(run=_running("serve_audio"))


def _add_control_port(parser: argparse.ArgumentParser) -> None:
    standard = f"{DEFAULT_PORT} + SERVICE_PORT_OFFSET"
    parser.add_argument("--control-port", type=int, help=f"loopback port of faults and counts (default: {standard})")

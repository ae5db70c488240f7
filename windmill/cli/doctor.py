"""python -m windmill doctor: test everything that this machine needs."""

import argparse
import asyncio
import sys

import orjson

from windmill.core.errors import WindmillError
from windmill.operate.doctor import settings as configuration
from windmill.operate.doctor.examination import DoctorRequest, examine
from windmill.operate.doctor.findings import DoctorFinding
from windmill.operate.doctor.render import render_findings_json, render_findings_text
from windmill.process import logs
from windmill.process.runner import DONE, FAILED, INTERRUPTED

SECONDS = 10.0
_ABOUT = """Check everything that this machine needs to run Windmill: settings, RabbitMQ, its queues, PostgreSQL, the
services, the engines, the images, the store of files of jobs, ffmpeg, the gateway and the machine itself. Changes
nothing. Exit code 0 if there is no problem (warnings do not count), 1 if there is one."""


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "doctor", help="check everything that this machine needs, with remedies", description=_ABOUT
    )
    parser.set_defaults(start=run)
    parser.add_argument("--services", help="services and sets, separated by commas (default: SERVICE_NAME, else all)")
    parser.add_argument("--json", action="store_true", help="print a list of objects: area, name, state, found, remedy")
    parser.add_argument(
        "--timeout", type=_seconds, default=SECONDS, metavar="S", help="seconds per check (default: 10)"
    )
    parser.add_argument(
        "--health",
        action="store_true",
        help="also request /health, and show services a picture with a known answer; they run their model for both",
    )


def _seconds(value: str) -> float:
    seconds = float(value)
    if not 0 < seconds <= 600:
        raise argparse.ArgumentTypeError(f"{value} is not above 0 and at most 600")
    return seconds


def run(arguments: argparse.Namespace) -> int:
    """Invalid settings are findings, so the command loads them itself."""
    loaded = configuration.load()
    logs.configure("ERROR", "text")
    request = DoctorRequest(arguments.services, arguments.timeout, arguments.health)
    try:
        findings = asyncio.run(examine(loaded, request))
    except WindmillError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    _print(findings, as_json=arguments.json)
    return FAILED if any(finding.state == "problem" for finding in findings) else DONE


def _print(findings: list[DoctorFinding], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(render_findings_json(findings), option=orjson.OPT_INDENT_2) + b"\n")
    else:
        sys.stdout.write(render_findings_text(findings, colours=sys.stdout.isatty()))

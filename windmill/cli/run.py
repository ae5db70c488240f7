"""python -m windmill run: the fleet's programs as one process.

Programs are loaded by name, as they stand above this package, and a machine holds only those in memory that it runs.
"""

import argparse
import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

from windmill.cli.options import Commands, async_command
from windmill.core.errors import WindmillError
from windmill.core.setting_parsers import names as split_names
from windmill.core.settings import Settings
from windmill.core.stages import STAGES
from windmill.process.parts import Part, run_together

DESCRIPTION = """\
Runs workers of services, post-processors, steps of jobs and the HTTP gateway in one process, for a machine that is too
small for one process each. Each part does what it does alone: `status` lists its workers, and its log lines name it.
Without options it runs everything: the services of SERVICE_NAME, or all; all stages; the steps of STEPS, or all; the
gateway, if it is installed, on GATEWAY_HOST and GATEWAY_PORT. `none` leaves a part out.

    python -m windmill run
    python -m windmill run --services light --stages merge,consensus --steps none

It waits for RabbitMQ and PostgreSQL as long as they are away. METRICS_PORT serves health and metrics of all parts. On
SIGTERM or Ctrl-C it finishes what is in progress within SHUTDOWN_GRACE_SECONDS and hands back the rest; a second signal
stops at once. If a part fails, the log says which, all parts stop in the same way, and systemd starts all again.

exit codes: 0 stopped, 1 a part failed, 2 a wrong option or setting, 70 a bug of Windmill, 130 stopped at once
"""
NONE = ("none",)
ALL = ("all",)
ON = ("on",)


@dataclass(frozen=True)
class PartModule:
    """A program, and the settings that say what it runs where no option does."""

    module: str
    """Has a function `part`, which makes the part for some names."""
    defaults: Callable[[Settings], Sequence[str]]


PART_MODULES = {
    "services": PartModule("workers.generic", lambda settings: settings.service_name or ALL),
    "stages": PartModule("postprocessors.all", lambda _: tuple(STAGES)),
    "steps": PartModule("workers.jobs", lambda settings: settings.steps or ALL),
    "gateway": PartModule("gateway.server", lambda _: ON if find_spec("fastapi") else NONE),
}
"""By the option that says what to run of it, in the order in which parts are named."""


def add_to(commands: Commands) -> None:
    add = commands.add_parser(
        "run",
        help="run services, post-processors, steps and the gateway in one process",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    said = "services and sets, separated by commas, or none (default: SERVICE_NAME, or all)"
    add.add_argument("--services", type=split_names, metavar="LIST", help=said)
    said = f"some of {', '.join(STAGES)}, separated by commas, or none (default: all)"
    add.add_argument("--stages", type=_stages, metavar="LIST", help=said)
    said = "steps of jobs, separated by commas, or none (default: STEPS, or all)"
    add.add_argument("--steps", type=split_names, metavar="LIST", help=said)
    said = "the HTTP gateway, on or none (default: on where its libraries are installed)"
    add.add_argument("--gateway", type=_on_or_none, metavar="on|none", help=said)
    add.set_defaults(start=async_command(run_parts))


def _on_or_none(text: str) -> tuple[str, ...]:
    if text not in ("on", "none"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither on nor none")
    return (text,)


def _stages(text: str) -> tuple[str, ...]:
    """In the order in which they depend on each other."""
    wanted = split_names(text)
    if wanted in (ALL, NONE):
        return tuple(STAGES) if wanted == ALL else NONE
    if not wanted or not set(wanted) <= set(STAGES):
        raise argparse.ArgumentTypeError(f"{text!r} is neither all nor none nor some of {', '.join(STAGES)}")
    return tuple(stage for stage in STAGES if stage in wanted)


async def run_parts(settings: Settings, stop: asyncio.Event, arguments: argparse.Namespace) -> int:
    return await run_together(make_parts(settings, wanted_parts(settings, arguments)), settings, stop)


def wanted_parts(settings: Settings, arguments: argparse.Namespace) -> dict[str, Sequence[str]]:
    """What to run of each part that is not left out."""
    wanted = {name: getattr(arguments, name) or one.defaults(settings) for name, one in PART_MODULES.items()}
    return {name: names for name, names in wanted.items() if names != NONE}


def make_parts(settings: Settings, wanted: Mapping[str, Sequence[str]]) -> list[Part]:
    """The parts that run these; raises at once what is wrong with any of them."""
    if not wanted:
        raise WindmillError("USAGE", "nothing is left to run", "leave out less than all parts")
    return [import_module(PART_MODULES[name].module).part(settings, names) for name, names in wanted.items()]

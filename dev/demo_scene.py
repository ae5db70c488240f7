"""What the demo shows: drawn images to stand-ins, or a user's own to real models."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dev.farm.contract import FRAMEWORK
from dev.farm.real import load_real, real_services
from windmill.core.errors import WindmillError
from windmill.core.services import Fleet
from windmill.core.settings import ROOT
from windmill.process.runner import INTERRUPTED

ACCEPT = "--accept-unstated-licences"
HOME = ROOT / "var" / "demo"


@dataclass(frozen=True)
class DemoScene:
    """The images, who is asked about them, and how the farm is started."""

    kind: str
    images: Path
    services: Sequence[str]
    farm_options: Sequence[str]
    drawing: Sequence[str] = ()
    left_out: Sequence[str] = ()


def scene_of(options: argparse.Namespace, fleet: Fleet) -> DemoScene:
    """What these options ask for, of this fleet. A service that is not to be asked runs, as others may need it."""
    services = list(fleet.services)
    unwanted = {one.name for one in fleet.select(options.without)} if options.without else set()
    if options.folder is None:
        return _drawn(options.images, options.seed, [name for name in services if name not in unwanted])
    have_models = real_services(accept_unstated=options.accept_unstated_licences)
    served = [name for name in services if name in have_models]
    accepted = [ACCEPT] if options.accept_unstated_licences else []
    farm = ["--real", "--services", ",".join(served), "--keep-alive", *accepted]
    left_out = [name for name in services if name not in served]
    asked = [name for name in served if name not in unwanted]
    return DemoScene("real", options.folder.expanduser().resolve(), asked, farm, left_out=left_out)


def _drawn(images: int, seed: int, services: Sequence[str]) -> DemoScene:
    folder = HOME / f"scenes-{seed}-{images}"
    count = ("--count", str(images), "--seed", str(seed))
    # Beside the folder, as all files in it are registered.
    drawing = ("-m", "dev.farm.scenes", *count, "--out", str(folder), "--truth", f"{folder}-truth.json")
    return DemoScene("stand-in", folder, services, ("--seed", str(seed), "--keep-alive"), drawing)


def with_models(options: argparse.Namespace) -> None:
    """Fetch the models if they are asked for; ends the program with one sentence if that is impossible."""
    if options.folder is None:
        return
    try:
        if not options.folder.expanduser().is_dir():
            raise WindmillError("NOT_FOUND", f"{options.folder} is not a folder", "give IMAGES= a folder of pictures")
        load_real(accept_unstated=options.accept_unstated_licences)
    except WindmillError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; what was not fetched whole was not kept\n")
        sys.exit(INTERRUPTED)


def answered_by(framework: str) -> str:
    """The cell of the table for what `model_info` says."""
    return "stand-in" if framework == FRAMEWORK else f"real ({framework})"

"""Runs the planned steps of a request one after another, with a stand-in for engines: what a job does, without jobs."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from tests.unit.kernels.pictures.made_pictures import scene
from windmill.pipelines.image import PICTURE_STEPS
from windmill.pipelines.presets.planned_steps import PlannedStep, plan_steps
from windmill.pipelines.presets.preset_request import PresetRequest

EngineStandIn = Callable[[PlannedStep, Mapping[str, Any], Mapping[str, Sequence[Path]], Path], Path]


def draws_a_scene(
    step: PlannedStep, parameters: Mapping[str, Any], files: Mapping[str, Sequence[Path]], out: Path
) -> Path:
    """Whatever it is asked for, unless it gets a picture to work on: then it marks a corner of that."""
    picture = Image.open(files["picture"][0]).copy() if "picture" in files else Image.fromarray(scene())
    picture.paste((255, 0, 255), (0, 0, 4, 4)) if "picture" in files else None
    picture.save(out / "drawn.png")
    return out / "drawn.png"


def run_locally(
    request: PresetRequest, given: Mapping[str, Sequence[Path]], out: Path, engine: EngineStandIn = draws_a_scene
) -> dict[str, Sequence[Path]]:
    """The files that each step made; steps that were skipped made none."""
    made: dict[str, Sequence[Path]] = {}
    for step in plan_steps(request):
        sources = {
            name: given[one.name] if one.kind == "input" else made[one.name] for name, one in step.inputs.items()
        }
        for number, parameters in enumerate(step.parameters):
            folder = out / f"{step.name}-{number}"
            folder.mkdir(parents=True)
            if step.run == "engine":
                files: Sequence[Path] = [engine(step, parameters, sources, folder)]
            else:
                files = PICTURE_STEPS[step.run].run(sources, parameters, folder)
            made[step.name] = [*made.get(step.name, ()), *files]
    return made

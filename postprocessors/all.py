"""All post-processors in one process, for small machines: python -m postprocessors.all

Merges boxes, enriches them, computes the votes, and keeps the search rows. .env.example describes every setting.
"""

import sys
from collections.abc import Iterable
from importlib import import_module

from postprocessors.stage_loop import MakeRunner, stages_part, start
from windmill.core.settings import Settings
from windmill.core.stages import STAGES, Stage
from windmill.process.parts import Part


def make_runners(stages: Iterable[Stage]) -> list[MakeRunner]:
    """What makes the runners of these stages; only their modules are loaded."""
    return [import_module(STAGES[stage].module).make_runner for stage in stages]


def part(settings: Settings, stages: Iterable[Stage]) -> Part:  # noqa: ARG001 - all parts are made alike
    """The post-processor of these stages."""
    return stages_part(make_runners(stages))


if __name__ == "__main__":
    sys.exit(start(__doc__ or "", "all", *make_runners(STAGES)))

"""All post-processors in one process, for small machines: python -m postprocessors.all

Merges boxes, enriches them, and computes the votes. .env.example describes every setting.
"""

import sys
from importlib import import_module

from postprocessors.stage_loop import start
from windmill.core.stages import STAGES

if __name__ == "__main__":
    sys.exit(start(__doc__ or "", "all", *(import_module(spec.module).make_runner for spec in STAGES.values())))

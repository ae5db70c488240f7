"""All post-processors in one process, for small machines: python -m postprocessors.all

Merges boxes, enriches them, and lets the services vote. Every setting is described in .env.example.
"""

import sys
from importlib import import_module

from postprocessors.base import start
from windmill.core.stages import STAGES

if __name__ == "__main__":
    sys.exit(start(__doc__ or "", "all", *(import_module(spec.module).work for spec in STAGES.values())))

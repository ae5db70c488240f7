"""All three post-processors in one process, for small machines: python -m postprocessors.all

Merges boxes, enriches them, and lets the services vote. Every setting is described in .env.example.
"""

import sys

from postprocessors import bbox_merger, consensus, spatial_enrichment
from postprocessors.base import start

if __name__ == "__main__":
    sys.exit(start(__doc__ or "", "all", bbox_merger.work, spatial_enrichment.work, consensus.work))

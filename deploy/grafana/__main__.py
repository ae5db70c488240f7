"""Makes dashboards/windmill.json anew from panels.py: python -m deploy.grafana"""

import argparse
import json
import sys
from pathlib import Path

from deploy.grafana.dashboard import dashboard
from deploy.grafana.engine_panels import ENGINES
from deploy.grafana.gateway_panels import GATEWAY
from deploy.grafana.panels import COMMITS, GLANCE, JOBS, PROCESSES, QUEUES, SERVICES, STAGES
from deploy.grafana.step_panels import STEPS

SECTIONS = (GLANCE, JOBS, SERVICES, QUEUES, STEPS, ENGINES, GATEWAY, COMMITS, STAGES, PROCESSES)
FILE = Path(__file__).parent / "dashboards" / "windmill.json"


def text() -> str:
    """The file's content."""
    return json.dumps(dashboard(SECTIONS), indent=1) + "\n"


def main() -> int:
    argparse.ArgumentParser(prog="python -m deploy.grafana", description=__doc__).parse_args()
    FILE.write_text(text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

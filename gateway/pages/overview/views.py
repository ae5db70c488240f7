"""What the overview shows. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from windmill.operate.status.figures import FleetStatus, ServiceStatus


@dataclass(frozen=True)
class OverviewView:
    services: Sequence[ServiceStatus]


def overview_view(status: FleetStatus) -> OverviewView:
    return OverviewView(status.services)

"""What the page of a service shows. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.pages.code_words import code_words
from gateway.pages.overview.views import Rates, ServiceLine, service_line
from windmill.core.services import Service
from windmill.core.wanted_states import WantedState, WantedStates
from windmill.operate.status.figures import ServiceStatus, Worker


@dataclass(frozen=True)
class FailureLine:
    """How many answers of the service are failures with this code, and what to do."""

    code: str
    answers: int
    culprit: str
    remedy: str


@dataclass(frozen=True)
class ServiceView:
    service: Service
    line: ServiceLine
    told: Mapping[str, Any]
    failures: Sequence[FailureLine]
    workers: Sequence[Worker]
    pause: WantedState | None
    own: WantedState


def service_view(
    service: Service, told: Mapping[str, Any], figures: ServiceStatus, wanted: WantedStates, workers: Sequence[Worker],
    rates: Rates,
) -> ServiceView:  # fmt: skip
    return ServiceView(
        service,
        service_line(figures, wanted, rates(service.name)),
        told,
        failure_lines(figures.failures),
        [one for one in workers if one.service == service.name],
        wanted.pause_of(service.name),
        wanted.own(service.name),
    )


def failure_lines(failures: Mapping[str, int]) -> list[FailureLine]:
    """The most frequent first; the remedy is that of the code, word for word."""
    ordered = sorted(failures.items(), key=lambda one: (-one[1], one[0]))
    return [FailureLine(code, count, *code_words(code)) for code, count in ordered]

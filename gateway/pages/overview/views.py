"""What the overview shows. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gateway.pages.badges import Badge, badge
from gateway.pages.sparkline import Sparkline, sparkline
from windmill.core.wanted_states import WantedState, WantedStates
from windmill.operate.status.condition import Alarm, PartState, alarms_of, many_fail, service_state, step_state
from windmill.operate.status.figures import MOST_MARKS, FleetStatus, ServiceStatus, StepStatus, Worker, eta

Rates = Callable[[str], Sequence[float]]
"""The answers a second of a service, minute by minute."""
_TONES: Mapping[PartState, str] = {"away": "bad", "paused": "off", "idle": "off"}


@dataclass(frozen=True)
class ServiceLine:
    """A row of the table of services. `note` tells more of a breaker or a pause."""

    figures: ServiceStatus
    state: Badge
    spark: Sparkline | None
    note: str
    pausable: bool
    many_fail: bool


@dataclass(frozen=True)
class StepLine:
    figures: StepStatus
    state: Badge
    waiting: int
    rate: float | None
    eta_seconds: float | None
    note: str
    pausable: bool


@dataclass(frozen=True)
class Host:
    """The workers of one machine."""

    name: str
    state: Badge
    lanes: Sequence[str]
    busy: int
    calls: int
    rate: float
    silent_seconds: float


@dataclass(frozen=True)
class Totals:
    """Of all services; None is unknown."""

    done: int
    failed: int
    waiting: int | None
    running: int | None
    rate: float | None
    parked: int | None

    @property
    def settled(self) -> int:
        return self.done + self.failed

    @property
    def whole(self) -> int:
        return self.settled + (self.waiting or 0) + (self.running or 0)

    def share(self, part: int, width: int = 1_000) -> int:
        """How wide a part of the meter is."""
        return round(part / self.whole * width) if self.whole else 0


@dataclass(frozen=True)
class OverviewView:
    status: FleetStatus
    totals: Totals
    alarms: Sequence[Alarm]
    services: Sequence[ServiceLine]
    steps: Sequence[StepLine]
    hosts: Sequence[Host]
    pause: WantedState | None
    lede: str
    most_marks: int = MOST_MARKS

    @property
    def busy_steps(self) -> Sequence[StepLine]:
        """Those that somebody looks for: they wait, run, or are held up."""
        return [one for one in self.steps if one.state.word != "idle"]

    @property
    def idle_steps(self) -> Sequence[StepLine]:
        return [one for one in self.steps if one.state.word == "idle"]

    @property
    def jobs(self) -> int:
        return sum(self.status.jobs.values())


def overview_view(status: FleetStatus, workers: Sequence[Worker], rates: Rates) -> OverviewView:
    wanted = WantedStates.of(status.wanted)
    services = [service_line(one, wanted, rates(one.service)) for one in status.services]
    alarms = alarms_of(status, workers)
    return OverviewView(
        status,
        totals_of(status.services),
        alarms,
        services,
        [step_line(one, wanted, workers) for one in status.steps if _is_known(one)],
        hosts_of(workers),
        wanted.by_name.get("*"),
        _lede(status, services, calm=not alarms),
    )


def service_line(one: ServiceStatus, wanted: WantedStates, rates: Sequence[float]) -> ServiceLine:
    pause = wanted.pause_of(one.service)
    state = service_state(one, pause)
    return ServiceLine(
        one,
        badge(state),
        _spark(one.service, state, rates),
        _note(pause, one),
        pausable=not wanted.own(one.service).paused,
        many_fail=many_fail(one),
    )


def _spark(service: str, state: PartState, rates: Sequence[float]) -> Sparkline | None:
    """Of what was counted; there is none before that."""
    if not rates:
        return None
    label = f"{service}: answers a second in the last 30 minutes, at most {max(rates):.1f}, at the end {rates[-1]:.1f}"
    return sparkline(rates, label, _TONES.get(state, ""))


def _note(pause: WantedState | None, one: ServiceStatus) -> str:
    if pause:
        return pause_words(pause)
    return (one.breaker_reason or "").partition(" Remedy: ")[0] if one.breaker != "closed" else ""


def pause_words(pause: WantedState) -> str:
    """By whom, and why."""
    until = f" until {pause.paused_until:%H:%M}" if pause.paused_until else ""
    reason = f": \u201c{pause.reason}\u201d" if pause.reason else ""
    return f"by {pause.owner or 'somebody here'}{until}{reason}"


def step_line(one: StepStatus, wanted: WantedStates, workers: Sequence[Worker]) -> StepLine:
    pause = wanted.pause_of(one.step)
    waiting = one.claimable + one.unplanned + one.put_off + one.waiting
    own = [worker.rate for worker in workers if worker.service == one.step and worker.fresh]
    rate = sum(own) if own else None
    ends = eta(waiting, one.running, 0, rate)
    note = pause_words(pause) if pause else one.paused or ""
    return StepLine(
        one, badge(step_state(one, pause)), waiting, rate, ends, note, pausable=not wanted.own(one.step).paused
    )


def _is_known(one: StepStatus) -> bool:
    """Whether there is anything to tell of a step."""
    return bool(one.workers or one.claimable or one.running or one.put_off or one.waiting or one.unplanned)


def hosts_of(workers: Sequence[Worker]) -> list[Host]:
    """The machines in the order of their names."""
    names = sorted({one.host for one in workers})
    return [_host(name, [one for one in workers if one.host == name]) for name in names]


def _host(name: str, workers: Sequence[Worker]) -> Host:
    live = [one for one in workers if not one.lost]
    busy = sum(one.in_progress for one in live)
    word = "lost" if not live else "live" if busy else "idle"
    return Host(
        name,
        badge(word),
        sorted({one.service for one in live or workers}),
        busy,
        sum(one.concurrency for one in live),
        sum(one.rate for one in live if one.fresh),
        min(one.silent_seconds for one in workers),
    )


def totals_of(services: Sequence[ServiceStatus]) -> Totals:
    def total(values: Sequence[float | None]) -> float | None:
        known = [one for one in values if one is not None]
        return sum(known) if known else None

    def whole(values: Sequence[int | None]) -> int | None:
        found = total(values)
        return None if found is None else int(found)

    return Totals(
        sum(one.done for one in services),
        sum(one.failed for one in services),
        whole([one.queued for one in services]),
        whole([one.in_flight for one in services]),
        total([one.rate for one in services]),
        whole([one.parked for one in services]),
    )


def _lede(status: FleetStatus, services: Sequence[ServiceLine], *, calm: bool) -> str:
    """All of it in a sentence or two."""
    ill = sum(one.state.word in ("away", "trying") for one in services)
    paused = sum(one.state.word == "paused" for one in services)
    parts = [f"{status.images:,} {'image is' if status.images == 1 else 'images are'} registered."]
    if ill:
        parts.append(f"{ill} of {len(services)} services {'needs' if ill == 1 else 'need'} a hand.")
    if paused:
        parts.append(f"{paused} {'is' if paused == 1 else 'are'} paused.")
    if calm and not ill and not paused:
        parts.append("Nothing stands in the way.")
    return " ".join(parts)

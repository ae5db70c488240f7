"""A job handler with a service and images that a test plans."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests.unit.calling.service_states import SETTINGS
from tests.unit.world import Clock
from tests.waiting import turns
from windmill.calling.job_handler import JobHandler
from windmill.calling.service_state import ServiceState
from windmill.core.errors import WindmillError
from windmill.core.messages import History, Job
from windmill.core.outcomes import Outcome, Stored
from windmill.core.services import Service, load_fleet
from windmill.core.settings import ROOT
from windmill.process.runner import background

CLIP = load_fleet(ROOT / "service_config.json").services["clip"]
JOB = Job(17, "17.jpg", "/p/17.jpg", None, datetime(2026, 1, 1, tzinfo=UTC))
ANSWER = Stored("{}", 0.5)


@dataclass
class Bench:
    """A handler with all that it asks, each of which does as it is told."""

    service: Service = CLIP
    call_error: BaseException | None = None
    canary_error: WindmillError | None = None
    read_error: WindmillError | None = None
    fault: WindmillError | None = None
    answers_meanwhile: bool = False
    asked: list[tuple[str, object]] = field(default_factory=list)
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.state = ServiceState(self.service, SETTINGS, self.canary, clock=self.clock)
        self.handler = JobHandler(self.read, self, self.check)

    async def handle(self, job: Job = JOB, attempt: int = 1, outages: int = 0) -> Outcome:
        async with background(self._answer_others()):
            return await self.handler.handle(self.state, job, History(attempt, outages))

    async def _answer_others(self) -> None:
        """Again and again, as nobody knows when the handler begins to wait for such an answer."""
        while self.answers_meanwhile:
            await turns(1)
            self.state.answered(self.clock.now, 2, first_try=False)

    async def read(self, job: Job) -> bytes:
        self.asked.append(("read", job.image_id))
        if self.read_error:
            raise self.read_error
        return b"pixels"

    async def check(self, image: bytes) -> WindmillError | None:
        self.asked.append(("check", image))
        return self.fault

    async def canary(self, service: Service) -> None:
        self.asked.append(("canary", service.name))
        if self.canary_error:
            raise self.canary_error

    async def upload(self, service: Service, image: bytes) -> Stored:
        return self._answer("upload", image)

    async def refer(self, service: Service, image_url: str) -> Stored:
        return self._answer("refer", image_url)

    def _answer(self, how: str, what: object) -> Stored:
        self.asked.append((how, what))
        self.clock.now += 1
        if self.answers_meanwhile:
            self.state.slots.taken = 2
        if self.call_error:
            raise self.call_error
        return ANSWER

    def steps(self) -> list[str]:
        return [what for what, _ in self.asked]

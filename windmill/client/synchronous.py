"""The client that waits for each answer; calls.py tells what is sent."""

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from windmill.client.calls import (
    ENDED,
    LONGEST_WAIT,
    Call,
    Order,
    action_call,
    headers_of,
    job_call,
    list_call,
    must_be_well,
    must_match,
    mute_call,
    new_run_call,
    results_call,
    run_call,
    timeouts,
    unreachable,
)
from windmill.client.documents import Artifact, Event, ImageResult, Job, JobPage, MutedFailures, Run
from windmill.client.resumable import PIECE_BYTES, RESUMABLE_FROM, Rest, sending
from windmill.core.errors import WindmillError

PAGE = 500


class Client:
    """Speaks to the gateway at `url`; every method raises WindmillError. `key` is one that `windmill keys create`
    printed."""

    def __init__(self, url: str, key: str | None = None, transport: httpx.BaseTransport | None = None) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.Client(base_url=self.url, headers=headers_of(key), timeout=timeouts(), transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def call(self, call: Call) -> httpx.Response:
        """Any request; its answer if it is a good one."""
        response = self.answer(call)
        must_be_well(response)
        return response

    def answer(self, call: Call) -> httpx.Response:
        """Any request; its answer, whatever it is."""
        try:
            return self._http.request(
                call.method,
                call.path,
                params=dict(call.params) or None,
                json=call.json,
                headers=dict(call.headers),
                files=call.files,
                content=call.content,
            )
        except httpx.HTTPError as error:
            raise unreachable(self.url, error) from error

    def health(self) -> dict[str, Any]:
        """Whether the gateway is well, and whether anybody works."""
        return dict((self.call(Call("GET", "/health"))).json())

    def presets(self) -> list[dict[str, Any]]:
        """What can be asked for."""
        return list((self.call(Call("GET", "/presets"))).json()["presets"])

    def preset(self, preset: str) -> dict[str, Any]:
        """One preset, with the JSON Schema of its inputs."""
        return dict((self.call(Call("GET", f"/presets/{preset}"))).json()["preset"])

    def send(self, file: str | Path) -> str:
        """Send a picture, a video or a recording; the id by which jobs take it. A large one is sent in pieces, and goes
        on after a cut."""
        path = Path(file)
        if path.stat().st_size > RESUMABLE_FROM:
            return self.send_pieces(path)
        with path.open("rb") as opened:
            sent = Call("POST", "/assets", files={"file": (path.name, opened)})
            return str((self.call(sent)).json()["asset"]["id"])

    def send_pieces(self, file: str | Path, piece_bytes: int = PIECE_BYTES) -> str:
        """The same in pieces of so many bytes."""
        steps = sending(Path(file), piece_bytes)
        answer: httpx.Response | WindmillError | None = None
        while True:
            try:
                step = steps.send(answer)
            except StopIteration as done:
                return str(done.value)
            if isinstance(step, Rest):
                time.sleep(step.seconds)
                answer = None
                continue
            try:
                answer = self.call(step)
            except WindmillError as error:
                answer = error

    def submit(
        self,
        preset: str,
        inputs: Mapping[str, object],
        *,
        quality: str | None = None,
        engines: Sequence[str] = (),
        consent_given: bool = False,
        priority: int | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """Make a job. Under an idempotency key it is made once, however often it is sent."""
        order = Order(preset, inputs, quality, tuple(engines), consent_given, priority)
        return _job(self.call(order.call(idempotency_key)))

    def job(self, job: str, wait: int = 0) -> Job:
        """A job as it is now, or when it has ended, at the latest after so many seconds."""
        return _job(self.call(job_call(job, wait)))

    def wait(self, job: str, seconds: float = float("inf")) -> Job:
        """The job once it has ended, or after so many seconds."""
        until = time.monotonic() + seconds
        while True:
            left = until - time.monotonic()
            found = self.job(job, max(0, min(LONGEST_WAIT, int(min(left, LONGEST_WAIT)))))
            if found["status"] in ENDED or left <= 1:
                return found

    def page(
        self,
        status: str | None = None,
        preset: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
        code: str | None = None,
    ) -> JobPage:
        """Some jobs, the newest first. `status` may name several, separated by commas; `code` is of an error."""
        answered: JobPage = (self.call(list_call(status, preset, code, limit, cursor))).json()
        return answered

    def jobs(self, status: str | None = None, preset: str | None = None) -> Iterator[Job]:
        """All jobs, the newest first."""
        cursor: str | None = None
        while True:
            page = self.page(status, preset, PAGE, cursor)
            yield from page["jobs"]
            if not (cursor := page["next_cursor"]):
                return

    def events(self, job: str, after: int = 0, limit: int = 100) -> list[Event]:
        """What has happened to a job since the event `after`."""
        call = Call("GET", f"/jobs/{job}/events", {"after": after, "limit": limit})
        return list((self.call(call)).json()["events"])

    def ask(self, job: str, action: str, body: Mapping[str, Any] | None = None) -> Job:
        """Ask something of a job: cancel, pause, resume, retry, fork or priority; the job then, or the fork."""
        return _job(self.call(action_call(job, action, body)))

    def delete(self, job: str) -> None:
        """Delete a job that has ended, with its files."""
        self.call(Call("DELETE", f"/jobs/{job}"))

    def submit_run(
        self,
        services: Sequence[str],
        group: str | None = None,
        *,
        selection: str = "new",
        urgent: bool = False,
        idempotency_key: str | None = None,
    ) -> Run:
        """Submit the images of a group, or all, to services. Under an idempotency key that is done once."""
        sent = new_run_call(services, group, selection, urgent=urgent, idempotency_key=idempotency_key)
        return _run(self.call(sent))

    def run(self, run: int, wait: int = 0) -> Run:
        """A run as it is now, or when all is answered, at the latest after so many seconds."""
        return _run(self.call(run_call(run, wait)))

    def wait_for_run(self, run: int, seconds: float = float("inf")) -> Run:
        """The run once all is answered, or after so many seconds."""
        until = time.monotonic() + seconds
        while True:
            left = until - time.monotonic()
            found = self.run(run, max(0, min(LONGEST_WAIT, int(min(left, LONGEST_WAIT)))))
            if found["status"] in ENDED or left <= 1:
                return found

    def results(self, run: int) -> Iterator[ImageResult]:
        """What is known of each image of a run, in the order of their ids."""
        cursor: str | None = None
        while True:
            page = self.call(results_call(run, cursor)).json()
            yield from page["results"]
            if not (cursor := page["next_cursor"]):
                return

    def muted(self) -> list[MutedFailures]:
        """Failures that somebody knows of."""
        return list((self.call(Call("GET", "/failed/muted"))).json()["muted"])

    def mute(
        self, service: str, code: str | None, reason: str = "", until: datetime | None = None
    ) -> list[MutedFailures]:
        """List failures of a service with one code apart, for good or for a while; all that are muted."""
        return list((self.call(mute_call(service, code, reason, until))).json()["muted"])

    def hear(self, service: str, code: str | None) -> list[MutedFailures]:
        """List them among the others again; all that are still muted."""
        sent = Call("POST", "/failed/hear", json={"service": service, "code": code})
        return list((self.call(sent)).json()["muted"])

    def artifacts(self, job: str) -> list[Artifact]:
        """The files of a job, in the order of its steps."""
        found: list[Artifact] = []
        cursor: str | None = None
        while True:
            params = {"limit": PAGE, **({"cursor": cursor} if cursor else {})}
            page = (self.call(Call("GET", f"/jobs/{job}/artifacts", params))).json()
            found += page["artifacts"]
            if not (cursor := page["next_cursor"]):
                return found

    def download(self, artifact: str, target: str | Path) -> Path:
        """Fetch a file; under its name it is whole, or not there."""
        path, digest = Path(target), hashlib.sha256()
        part = path.with_name(f".{path.name}.part")
        try:
            with self._http.stream("GET", f"/artifacts/{artifact}/content") as response:
                if not response.is_success:
                    response.read()
                must_be_well(response)
                with part.open("wb") as opened:
                    for piece in response.iter_bytes():
                        digest.update(piece)
                        opened.write(piece)
            must_match(artifact, digest)
            return part.replace(path)
        except httpx.HTTPError as error:
            raise unreachable(self.url, error) from error
        finally:
            part.unlink(missing_ok=True)


def _run(response: httpx.Response) -> Run:
    run: Run = response.json()["run"]
    return run


def _job(response: httpx.Response) -> Job:
    job: Job = response.json()["job"]
    return job

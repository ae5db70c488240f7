"""What commands on jobs ask of a gateway, and what they make of its answers."""

import asyncio
import json
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from windmill.client import AsyncClient
from windmill.core.errors import WindmillError
from windmill.operate.jobs import remote
from windmill.operate.jobs.job_actions import JobAction, cancelling, giving_priority, pausing
from windmill.operate.jobs.job_filter import JobFilter
from windmill.operate.jobs.many_jobs import ChosenJobs, ManyJobs, RefusedJob
from windmill.operate.jobs.remote_many import change_chosen
from windmill.operate.jobs.retention import removing
from windmill.operate.progress import ignore_progress

JOBS = [uuid.UUID(int=number) for number in (1, 2)]
CONFLICT = {"error_code": "CONFLICT", "message": "it has ended", "remediation": [], "errors": []}
BULK: dict[str, Any] = {"id": "7", "status": "running", "matched": 3, "done": 1, "refused": 0, "told": []}


class Gateway:
    """Answers by a function, and remembers what it was asked."""

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response]) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self._answer = answer

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content) if request.content else None
        self.asked.append((request.method, request.url.path, body))
        return self._answer(request)

    def client(self) -> AsyncClient:
        return AsyncClient("http://gateway", transport=httpx.MockTransport(self))


async def no_files(_: object) -> None:
    raise AssertionError("files are the gateway's")


async def change(gateway: Gateway, action: JobAction, chosen: ChosenJobs) -> ManyJobs:
    async with gateway.client() as client:
        return await change_chosen(client, action, chosen, asyncio.Event(), ignore_progress)


async def test_a_list_is_asked_for_by_states_one_preset_and_one_error() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert dict(request.url.params) == {
            "status": "failed,expired", "preset": "p", "code": "USAGE", "limit": "5",
        }  # fmt: skip
        return httpx.Response(200, json={"jobs": [], "count": 0, "next_cursor": None})

    chosen = JobFilter(statuses=["failed", "expired"], presets=["p"], error_codes=["USAGE"])
    async with Gateway(answer).client() as client:
        assert await remote.list_jobs(client, chosen, 5) == []


@pytest.mark.parametrize(
    ("chosen", "before", "said"),
    [
        (JobFilter(kinds=["demo"]), None, "by --kind on"),
        (JobFilter(principals=["ann"], older_than=timedelta(0)), None, "by --principal and --older-than on"),
        (JobFilter(presets=["p", "q"]), None, "by a second --preset on"),
        (JobFilter(), JOBS[0], "by --before on"),
    ],
)
async def test_a_filter_that_no_gateway_has_is_refused(chosen: JobFilter, before: uuid.UUID | None, said: str) -> None:
    async with Gateway(lambda _: httpx.Response(500)).client() as client:
        with pytest.raises(WindmillError, match=f"USAGE: jobs are listed {said} a machine of the fleet alone"):
            await remote.list_jobs(client, chosen, 5, before)


async def test_each_named_job_is_asked_and_one_that_refuses_stops_no_other() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        refuses = str(JOBS[0]) in request.url.path
        return httpx.Response(409, json=CONFLICT) if refuses else httpx.Response(200, json={"job": {}})

    gateway = Gateway(answer)
    report = await change(gateway, giving_priority(3), ChosenJobs([*JOBS, JOBS[0]]))
    assert sorted(gateway.asked) == [("PATCH", f"/jobs/{job}", {"priority": 3}) for job in JOBS]
    assert (report.matched, report.done, report.refused) == (2, 1, 1)
    assert report.told == [RefusedJob(str(JOBS[0]), "CONFLICT", "it has ended")]


async def test_named_jobs_are_deleted_by_the_gateway_with_their_files() -> None:
    gateway = Gateway(lambda _: httpx.Response(204))
    report = await change(gateway, removing(no_files), ChosenJobs(JOBS))
    assert gateway.asked == [("DELETE", f"/jobs/{job}", None) for job in JOBS]
    assert report.done == 2


async def test_those_that_match_are_only_counted_without_yes() -> None:
    gateway = Gateway(lambda _: httpx.Response(200, json={"dry_run": True, "matched": 4}))
    chosen = ChosenJobs(matching=JobFilter(statuses=["queued"], older_than=timedelta(hours=1)), expect=4, preview=True)
    assert await change(gateway, pausing("me", "lunch"), chosen) == ManyJobs("pause", 4, preview=True)
    body = {"action": "pause", "reason": "lunch", "until": None, "expect": 4, "dry_run": True}
    wanted = {**body, "filter": {"statuses": ["queued"], "older_than_seconds": 3600.0}}
    assert gateway.asked == [("POST", "/jobs:bulk", wanted)]


async def test_those_that_match_are_changed_by_the_servers_which_are_asked_how_far_they_are() -> None:
    told = [{"job": str(JOBS[0]), "error_code": "CONFLICT", "message": "it has ended"}]
    done = {**BULK, "status": "done", "done": 2, "refused": 1, "told": told}
    answers = iter((httpx.Response(202, json={"bulk": BULK}), httpx.Response(200, json={"bulk": done})))
    gateway = Gateway(lambda _: next(answers))
    report = await change(gateway, cancelling("me"), ChosenJobs())
    assert [asked[:2] for asked in gateway.asked] == [("POST", "/jobs:bulk"), ("GET", "/bulk/7")]
    assert report == ManyJobs("cancel", 3, 2, 1, [RefusedJob(str(JOBS[0]), "CONFLICT", "it has ended")])


async def test_whoever_stops_looking_is_told_how_far_it_was() -> None:
    stop = asyncio.Event()
    stop.set()
    async with Gateway(lambda _: httpx.Response(202, json={"bulk": BULK})).client() as client:
        report = await change_chosen(client, cancelling("me"), ChosenJobs(), stop, ignore_progress)
    assert (report.done, report.interrupted) == (1, True)

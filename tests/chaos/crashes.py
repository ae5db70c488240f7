"""A picture over which worker processes die, and whoever starts them anew, as systemd does."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.pictures import drawn
from tests.integration.fleet import Command, Fleet
from tests.waiting import until

DONE_SECONDS = 400
"""Far more than it takes on an idle machine."""


class Supervisor:
    """Starts a deadly worker again whenever it has died; counts the deaths."""

    def __init__(self, fleet: Fleet, **variables: str) -> None:
        self._fleet = fleet
        self._variables = variables
        self._worker: Command | None = None
        self.deaths = 0

    def look(self) -> None:
        """To be called now and then."""
        if self._worker and self._worker.process.poll() is not None:
            self.deaths += 1
            assert self.deaths < 100, f"workers die without end\n{self._fleet.logs()}"
            self._worker = None
        if self._worker is None:
            self._worker = self._fleet.start("tests.chaos.deadly_worker", **self._variables)

    async def stop(self) -> None:
        assert self._worker
        assert (await self._worker.stop()).code == 0


async def registered(fleet: Fleet, harmless: int, deadly: int) -> tuple[set[int], set[int]]:
    """Image ids of harmless pictures, and of deadly ones among them."""
    names = [f"{number}.jpg" for number in range(harmless)]
    for number in range(deadly):
        names.insert(len(names) * number // deadly, f"deadly-{number}.jpg")
    paths = await asyncio.to_thread(_written, fleet.folder / "pictures", names)
    rows = await fleet.rows.fetch(
        "INSERT INTO images (image_filename, image_path) SELECT 'picture.jpg', path FROM unnest($1::text[]) path"
        " RETURNING image_id, image_path",
        paths,
    )
    ids = {True: set[int](), False: set[int]()}
    for row in rows:
        ids["deadly" in row["image_path"]].add(row["image_id"])
    return ids[False], ids[True]


def _written(folder: Path, names: list[str]) -> list[str]:
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes(drawn())
    return [str(folder / name) for name in names]


async def until_all_are_settled(fleet: Fleet, supervisor: Supervisor, services: Sequence[str], jobs: int) -> None:
    async def settled() -> bool:
        supervisor.look()
        return await fleet.count() >= jobs and not any([await fleet.depth(service) for service in services])

    await until(settled, DONE_SECONDS, lambda: f"{jobs} rows\n{fleet.logs()}")


async def deadly_pictures(fleet: Fleet, services: Sequence[str], harmless: int, deadly: int, limit: int) -> str:
    """Pictures that end the one process of these services are parked, and cost the others nothing. Returns counts."""
    others, killers = await registered(fleet, harmless, deadly)
    end = await fleet.produce("--services", ",".join(services), "--quiet")
    assert end.code == 0, end.err
    supervisor = Supervisor(fleet, SERVICE_NAME=",".join(services), DELIVERY_LIMIT=str(limit), WORKER_CONCURRENCY="4")
    await until_all_are_settled(fleet, supervisor, services, (harmless + deadly) * len(services))
    await supervisor.stop()
    rows = {(row["image_id"], row["service"]): row for row in await fleet.results()}
    lost = {pair for pair, row in rows.items() if row["error_code"] == "WORKER_LOST"}
    to_lose = {(image, service) for image in killers for service in services}
    parked = [
        (message.image_id, service) for service in services for message in await fleet.take_all(service, ".failed")
    ]
    line = (
        f"{(harmless + deadly) * len(services)} jobs, {len(rows)} rows, {supervisor.deaths} deaths, "
        f"{len(lost & to_lose)} of {len(to_lose)} deadly ones WORKER_LOST, {len(lost - to_lose)} harmless ones "
        f"WORKER_LOST, {len(parked)} parked"
    )
    assert lost == to_lose, line
    assert {pair for pair, row in rows.items() if row["status"] == "success"} == {
        (image, service) for image in others for service in services
    }, line
    assert set(parked) == to_lose, line
    return line

"""Which status each service gives to the same misfortune, cell by cell, as measured on the real ones."""

from pathlib import Path

import pytest

from dev.farm.labels import class_names
from dev.farm.pictures import Picture
from tests.conformance.services import pictures
from tests.conformance.services.serving import CLOSED_PORT, SERVICES, Client, Got, serving

TABLE = """
    service  blip clip detectron2 inception_v3 face colors nsfw2 ocr ollama rtdetr yolov8 metadata pose
    undecodable upload      500 500 500 500 500 500 500 500 500 500 500 400 400
    empty upload            500 500 500 500 500 500 500 500 500 500 500 400 400
    truncated upload        500 500 500 500 500 500 500 500 500 500 500 500 500
    oversize upload         500 500 500 500 400 400 400 400 400 400 500 400 400
    wrong field             400 400 400 400 400 400 400 400 400 400 400 400 400
    nothing                 400 400 400 400 400 400 400 400 400 400 400 400 400
    bad extension           400 400 400 400 400 200 200 200 200 200 200 200 200
    no extension            400 400 400 400 400 200 200 200 200 200 200 200 200
    file missing            400 400 400 400 400 400 400 400 400 400 400 400 400
    file not an image       400 500 500 500 500 500 500 500 500 500 500 400 400
    url not found           400 500 400 400 400 400 400 400 400 400 400 400 400
    url refused             400 500 400 400 400 400 400 400 400 400 400 400 400
    url is a page           400 400 400 400 400 400 400 400 400 400 400 400 400
    transparent upload      200 200 200 200 200 200 200 200 200 200 200 500 200
    model failure           500 500 500 500 500 500 500 500 500 500 500 500 500
    raw bytes               400 400 400 400 400 400 400 400 400 400 400 400 400
    url and file            400 400 400 400 400 400 400 400 400 400 400 400 400
    post with a good path   200 200 200 200 200 200 200 200 200 200 200 400 400
    good upload             200 200 200 200 200 200 200 200 200 200 200 200 200
    good path               200 200 200 200 200 200 200 200 200 200 200 200 200
    good url                200 200 200 200 200 200 200 200 200 200 200 200 200
"""
ROWS = [line.split() for line in TABLE.strip().splitlines()]
COLUMNS = ROWS[0][1:]
CELLS = [
    pytest.param(case, service, int(status), id=f"{service}-{case.replace(' ', '_')}")
    for row in ROWS[1:]
    for case in [" ".join(row[: -len(COLUMNS)])]
    for service, status in zip(COLUMNS, row[-len(COLUMNS) :], strict=True)
]


class FailingModels:
    """Knows every service, and fails on every picture."""

    SERVICES = SERVICES

    def predictions(self, service: str, picture: Picture, seed: int) -> list[dict[str, object]]:
        raise RuntimeError(f"{service} ran out of memory")

    def model_info(self, service: str) -> dict[str, str]:
        return {"framework": "made for a test"}

    def class_names(self, service: str) -> list[str]:
        return class_names(service)

    def is_simulated(self, service: str, picture: Picture) -> bool:
        return False


async def suffer(case: str, client: Client, service: str, website: str, folder: Path) -> Got:
    """The reply to one row of the table."""
    uploads = {
        "undecodable upload": (pictures.NOT_A_PICTURE, "image.jpg"),
        "empty upload": (b"", "image.jpg"),
        "truncated upload": (pictures.TRUNCATED, "image.jpg"),
        "oversize upload": (pictures.OVERSIZE, "image.jpg"),
        "bad extension": (pictures.PLAIN, "image.tiff"),
        "no extension": (pictures.PLAIN, "image"),
        "transparent upload": (pictures.TRANSPARENT, "image.png"),
        "model failure": (pictures.PLAIN, "image.jpg"),
        "good upload": (pictures.PLAIN, "IMAGE.JPEG"),
    }
    good, text = str(folder / "good.jpg"), str(folder / "text.jpg")
    queries = {
        "nothing": {},
        "file missing": {"file": str(folder / "missing.jpg")},
        "file not an image": {"file": text},
        "url not found": {"url": f"{website}/missing"},
        "url refused": {"url": f"http://127.0.0.1:{CLOSED_PORT}/picture"},
        "url is a page": {"url": f"{website}/page"},
        "url and file": {"url": f"{website}/picture", "file": good},
        "good path": {"file": good},
        "good url": {"url": f"{website}/picture"},
    }
    if case in uploads:
        return await client.upload(service, *uploads[case])
    if case in queries:
        return await client.get(service, **queries[case])
    if case == "wrong field":
        return await client.upload(service, pictures.PLAIN, field="image")
    if case == "post with a good path":
        return await client.request(service, "POST", "/analyze", params={"file": good})
    headers = {"Content-Type": "image/jpeg"}
    return await client.request(service, "POST", "/analyze", data=pictures.PLAIN, headers=headers)


@pytest.mark.parametrize(("case", "service", "status"), CELLS)
async def test_a_service_answers_a_misfortune_with_its_own_status(
    case: str, service: str, status: int, website: str, tmp_path: Path
) -> None:
    (tmp_path / "good.jpg").write_bytes(pictures.PLAIN)
    (tmp_path / "text.jpg").write_bytes(pictures.NOT_A_PICTURE)
    knowledge = FailingModels() if case == "model failure" else None
    async with serving(service, knowledge=knowledge) as client:
        got = await suffer(case, client, service, website, tmp_path)
    assert got.status == status, got.body[:200]
    assert got.document["status"] == ("success" if status == 200 else "error")


def test_the_table_has_a_column_for_every_service() -> None:
    assert sorted(COLUMNS) == sorted(SERVICES)

"""Images over HTTP: registered by upload, by URL and from a folder, listed, shown, and fetched."""

from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.integration.gateway_scene import GatewayScene, problem
from tests.integration.test_show import FILL

pytestmark = pytest.mark.database


def picture(colour: str, size: tuple[int, int] = (64, 48), form: str = "PNG") -> bytes:
    file = BytesIO()
    Image.new("RGB", size, colour).save(file, form)
    return file.getvalue()


async def started(scene: GatewayScene, **variables: str) -> Path:
    """A gateway whose workers read images below the folder."""
    root = scene.fleet.folder / "pictures"
    (root / "trip").mkdir(parents=True)
    await scene.start(IMAGE_ROOT=str(root), GATEWAY_UPLOADS_DIR=str(root / "sent"), **variables)
    return root


def outcome(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return sorted((one["name"], one["status"]) for one in answer["images"])


async def folders(scene: GatewayScene, ann: httpx.AsyncClient, root: Path) -> None:
    """With copies, and what is bad."""
    for name, data in {"a.png": picture("red"), "b.png": picture("red"), "c.png": b"no", "d.txt": b"x"}.items():
        (root / "trip" / name).write_bytes(data)
    made = await ann.post("/images", json={"folder": "trip", "group": "holidays"})
    assert made.status_code == 201, made.text
    first = made.json()
    assert outcome(first)[2] == ("trip/c.png", "bad")
    assert sorted(status for _, status in outcome(first)) == ["bad", "copy", "registered"]
    assert [first[name] for name in ("registered", "copies", "bad", "ignored")] == [2, 1, 1, 1]
    again = (await ann.post("/images", json={"folder": "trip"})).json()
    assert {one["image_id"] for one in again["images"]} == {one["image_id"] for one in first["images"]}
    assert (again["registered"], again["known"]) == (0, 2)
    for folder in ("../artifacts", "/", "trip/d.txt", "nowhere", "a\0b"):
        refused = problem(await ann.post("/images", json={"folder": folder}), 404, "NOT_FOUND")
        assert str(scene.fleet.folder) not in str(refused)
    for body in ({}, {"folder": "trip", "urls": ["https://a.example/x.jpg"]}, {"folder": "trip", "group": ""}):
        problem(await ann.post("/images", json=body), 422, "CONTRACT_MISMATCH")
    entries = await scene.fleet.rows.fetch("SELECT action, subject FROM audit_log WHERE action <> 'keys.create'")
    assert [(one["action"], one["subject"]) for one in entries] == [("images.register", "holidays")]


async def urls_by_the_rules_for_workers(ann: httpx.AsyncClient) -> None:
    urls = [
        "https://pictures.example/a.jpg",
        "http://127.0.0.1/b.jpg",
        "http://169.254.169.254/",
        "/etc/passwd",
        "ftp://x/y",
    ]
    answer = (await ann.post("/images", json={"urls": urls})).json()
    assert [(one["name"], one["status"]) for one in answer["images"]] == [
        (url, "registered" if number == 0 else "bad") for number, url in enumerate(urls)
    ]


async def files_that_are_sent_in(ann: httpx.AsyncClient, root: Path) -> None:
    """Kept once, and known by their bytes."""
    large = picture("red") + b"\0" * 20_000
    files: list[tuple[str, tuple[str, bytes] | tuple[str, bytes, str]]] = [
        ("files", ("../../x/päpst.png", picture("blue"), "text/html")),
        ("files", ("twice.png", picture("blue"))),
        ("files", ("page.png", b"<script>")),
        ("files", ("large.png", large)),
        ("files", ("none.png", b"")),
    ]
    answer = await ann.post("/images/upload", files=files, data={"group": "sent"})
    assert answer.status_code == 201, answer.text
    told = answer.json()["images"]
    assert [(one["name"], one["status"]) for one in told] == [
        ("päpst.png", "registered"), ("twice.png", "registered"), ("page.png", "bad"), ("large.png", "bad"),
        ("none.png", "bad"),
    ]  # fmt: skip
    assert told[0]["image_id"] == told[1]["image_id"]
    kept = [file for file in (root / "sent").rglob("*") if file.is_file()]
    assert [file.read_bytes() for file in kept] == [picture("blue")]
    listed = (await ann.get("/images?group=sent")).json()["images"]
    assert [(one["name"], one["location"]) for one in listed] == [("päpst.png", None)]
    too_large = [("files", ("a.png", b"x" * 200_000))]
    problem(await ann.post("/images/upload", files=too_large), 413, "PAYLOAD_TOO_LARGE")
    problem(
        await ann.post("/images/upload", data={"group": "g"}, files=[("other", ("a", b"x"))]), 422, "CONTRACT_MISMATCH"
    )
    problem(await ann.post("/images/upload", json={}), 422, "CONTRACT_MISMATCH")


async def fetched_files(ann: httpx.AsyncClient, root: Path) -> None:
    """As they are or small, and they act for nobody."""
    (root / "trip" / "ü.png").write_bytes(picture("green", (1_000, 500)))
    [image] = (await ann.post("/images", json={"folder": "trip/ü.png"})).json()["images"]
    path = f"/images/{image['image_id']}"
    whole = await ann.get(f"{path}/content")
    assert (whole.content, whole.headers["content-type"]) == (picture("green", (1_000, 500)), "image/png")
    assert whole.headers["content-disposition"] == "attachment; filename=\"_.png\"; filename*=UTF-8''%C3%BC.png"
    assert whole.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert (await ann.get(f"{path}/content", headers={"If-None-Match": whole.headers["etag"]})).status_code == 304
    small = await ann.get(f"{path}/thumbnail")
    assert small.status_code == 200, small.text
    assert (small.headers["content-type"], Image.open(BytesIO(small.content)).size) == ("image/jpeg", (320, 160))
    (root / "trip" / "ü.png").unlink()
    gone = problem(await ann.get(f"{path}/content"), 404, "IMAGE_NOT_FOUND")
    assert str(root) not in str(gone)
    assert (await ann.get(path)).json()["image"]["location"] == "trip/ü.png"


async def test_images_are_registered_from_folders_by_url_and_by_upload_and_their_files_are_fetched(
    scene: GatewayScene,
) -> None:
    root = await started(scene, MAX_IMAGE_BYTES="20000", GATEWAY_MAX_UPLOAD_BYTES="100000")
    ann = await scene.user("operator")
    await folders(scene, ann, root)
    await urls_by_the_rules_for_workers(ann)
    await files_that_are_sent_in(ann, root)
    await fetched_files(ann, root)


async def test_all_that_is_known_of_an_image_is_shown_and_lists_are_walked(scene: GatewayScene) -> None:
    await scene.start(IMAGE_ROOT="/")
    await scene.fleet.rows.execute(FILL)
    await scene.fleet.rows.execute("UPDATE results SET data = '{\"predictions\": []}' WHERE service = 'clip'")
    viewer = await scene.user("viewer")
    shown = (await viewer.get("/images/7")).json()
    assert shown["votes"][0]["sentence"] == "Said by clip."
    assert (shown["boxes"][0]["label"], shown["boxes"][0]["answers"][0]["said"]) == ("dog", ["brown"])
    assert shown["awaited"] == ["colors", "yolov8"]
    failed = next(one for one in shown["answers"] if one["service"] == "ocr")["failure"]
    assert (failed["code"], failed["message"]) == ("IMAGE_TOO_LARGE", "it has 9 MB")
    told = (await viewer.get("/views/image?image=7")).json()
    assert "clip" in str(told)
    assert "/pictures" not in str(shown) + str(told)
    results = (await viewer.get("/images/7/results")).json()["answers"]
    assert [(one["service"], one["data"], one["error_code"]) for one in results] == [
        ("clip", {"predictions": []}, None),
        ("ocr", None, "IMAGE_TOO_LARGE"),
    ]
    assert "hunter22" not in (await viewer.get("/images/8")).text
    first = (await viewer.get("/images?limit=1")).json()
    assert ([one["image_id"] for one in first["images"]], "hunter22" in str(first)) == ([8], False)
    second = (await viewer.get("/images", params={"limit": 1, "cursor": first["next_cursor"]})).json()
    assert [one["image_id"] for one in second["images"]] == [7]
    problem(await viewer.get("/images", params={"group": "g", "cursor": first["next_cursor"]}), 400, "USAGE")
    assert [one["image_id"] for one in (await viewer.get("/images?group=g")).json()["images"]] == [7]
    for path in ("/images/9", "/images/9/results", "/images/9/content", "/images/9/thumbnail"):
        problem(await viewer.get(path), 404, "NOT_FOUND")
    problem(await viewer.post("/images", json={"folder": "trip"}), 403, "PERMISSION_DENIED")
    await a_copy_shows_what_is_known_of_its_original(scene, viewer)


COPY = """
INSERT INTO images (image_id, image_filename, image_path, original_id) VALUES (70, 'copy.jpg', '/pictures/copy.jpg', 7);
INSERT INTO image_search (image_id, sources, version, width, height, labels, label_p, colours, text)
VALUES (7, 1, 1, 640, 480, '{}', '{}', '{}', '');
"""


async def a_copy_shows_what_is_known_of_its_original(scene: GatewayScene, viewer: httpx.AsyncClient) -> None:
    """Sizes are those that a search tells, in lists, too."""
    await scene.fleet.rows.execute(COPY)
    seven, copy = (await viewer.get("/images/7")).json(), (await viewer.get("/images/70")).json()
    facts = ("image_id", "copy_of", "location", "width", "height")
    assert [[one["image"][name] for name in facts] for one in (seven, copy)] == [
        [7, None, "pictures/beach.jpg", 640, 480], [70, 7, "pictures/copy.jpg", 640, 480],
    ]  # fmt: skip
    assert {**seven, "image": None} == {**copy, "image": None}
    listed = (await viewer.get("/images")).json()["images"]
    assert [(one["image_id"], one["width"], one["height"]) for one in listed] == [
        (70, 640, 480), (8, None, None), (7, 640, 480),
    ]  # fmt: skip
    (hit,) = (await viewer.get("/search?query=id:7")).json()["hits"]
    assert (hit["location"], hit["width"], hit["height"]) == ("pictures/beach.jpg", 640, 480)
    page = (await viewer.get("/ui/images/70")).text
    for said in ("an exact copy of", "1 of 4 services have answered; 1 failed; colors, yolov8 are awaited"):
        assert said in page

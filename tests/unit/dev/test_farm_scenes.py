"""Drawn scenes: the same seed gives the same pictures, and the truth travels inside the file."""

import io
import json
import struct
from pathlib import Path

import pytest
from PIL import Image

from dev.farm import scenes
from dev.farm.coco import KINDS, LABELS
from dev.farm.layout import THEMES, make_scene
from dev.farm.scenes import encode, write_scenes
from dev.farm.truth import Scene, embed, extract, from_json, to_json


def _some_scenes(count: int = 120) -> list[Scene]:
    return [make_scene(3, index) for index in range(count)]


def test_the_same_seed_and_number_give_the_same_bytes() -> None:
    assert encode(make_scene(5, 9)) == encode(make_scene(5, 9))


def test_another_seed_or_number_gives_another_scene() -> None:
    assert len({to_json(make_scene(seed, index)) for seed in range(5) for index in range(5)}) == 25


def test_there_are_80_labels_with_ids_of_their_own_and_each_is_at_home_somewhere() -> None:
    assert len(LABELS) == len({kind.category_id for kind in KINDS.values()}) == 80
    assert {label for cast in THEMES.values() for label in cast} | {"person"} == set(LABELS)


def test_everything_lies_inside_the_picture() -> None:
    for scene in _some_scenes():
        boxes = [thing.box for thing in scene.things] + [writing.box for writing in scene.writings]
        faces = [thing.face for thing in scene.things if thing.face]
        for x, y, width, height in boxes + faces:
            assert width > 0
            assert height > 0
            assert 0 <= x <= x + width <= scene.width
            assert 0 <= y <= y + height <= scene.height


def test_sizes_crowds_faces_and_words_vary() -> None:
    some = _some_scenes()
    assert min(min(scene.width, scene.height) for scene in some) < 400
    assert max(max(scene.width, scene.height) for scene in some) > 1100
    assert {1, 2} & {len(scene.things) for scene in some}
    assert max(len(scene.things) for scene in some) > 15
    assert 0.1 < sum(bool(scene.writings) for scene in some) / len(some) < 0.6
    assert any(thing.face for scene in some for thing in scene.things)


def test_the_caption_names_the_thing_that_fills_most_of_the_picture() -> None:
    for scene in _some_scenes(40):
        areas: dict[str, int] = {}
        for thing in scene.things:
            areas[thing.label] = areas.get(thing.label, 0) + thing.box[2] * thing.box[3]
        biggest = max(areas, key=lambda label: areas[label])
        assert biggest[:3] in scene.caption or (biggest == "person" and "people" in scene.caption)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_the_truth_comes_out_of_the_file_as_it_went_in(kind: str) -> None:
    scene = make_scene(7, 4)
    assert extract(encode(scene, kind)) == scene


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_the_file_with_its_truth_is_still_an_ordinary_picture(kind: str) -> None:
    scene = make_scene(7, 4)
    with Image.open(io.BytesIO(encode(scene, kind))) as image:
        image.load()
        assert image.size == (scene.width, scene.height)
        assert image.format == kind


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_the_truth_is_read_without_any_pixel(kind: str) -> None:
    scene = make_scene(7, 4)
    data = encode(scene, kind)
    assert extract(data[: len(to_json(scene)) + 200]) == scene


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_crop_does_not_inherit_the_truth(kind: str) -> None:
    cut = io.BytesIO()
    with Image.open(io.BytesIO(encode(make_scene(7, 4), kind))) as image:
        image.crop((0, 0, 100, 100)).save(cut, kind)
    assert extract(cut.getvalue()) is None


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2},
        {"width": float("inf")},
        {"objects": [{"label": "unicorn", "bbox": [0, 0, 5, 5]}]},
        {"objects": [{"label": "dog", "bbox": [0, 0, 5, 0]}]},
        {"objects": [{"label": "dog", "bbox": [0, 0, 5, 99999]}]},
        {"objects": [{"label": "dog", "bbox": [0, 0, 5]}]},
        {"objects": [{"label": "dog", "bbox": [0, 0, 5, 5]}] * 1000},
        {"texts": 5},
    ],
)
def test_truth_that_makes_no_sense_is_no_truth(change: dict[str, object]) -> None:
    document = json.loads(to_json(make_scene(1, 1))) | change
    assert from_json(json.dumps(document).encode()) is None


@pytest.mark.parametrize("document", [b"", b"[]", b"null", b"{", b"\xff\xfe", b"[" * 100_000])
def test_bytes_that_are_no_scene_are_no_truth(document: bytes) -> None:
    assert from_json(document) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8",
        b"\xff\xd8" + struct.pack(">BBH", 0xFF, 0xE9, 0) * 50,
        b"\xff\xd8" + struct.pack(">BBH", 0xFF, 0xE9, 65535) + b"windmill-scene\0{",
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I4s", 2**32 - 1, b"tEXt"),
        b"GIF89a",
    ],
)
def test_reading_the_truth_of_odd_bytes_ends_and_finds_none(data: bytes) -> None:
    assert extract(data) is None


def test_only_jpeg_and_png_can_carry_the_truth() -> None:
    with pytest.raises(ValueError, match="JPEG and PNG"):
        embed(b"GIF89a", make_scene(1, 1))


def test_a_folder_of_scenes_has_files_and_a_coco_document_that_agree(tmp_path: Path) -> None:
    write_scenes(tmp_path, count=6, seed=2, png_share=0.5)
    document = json.loads((tmp_path / "truth.json").read_text())
    names = {category["id"]: category["name"] for category in document["categories"]}
    assert len(names) == 80
    assert sorted(image["file_name"] for image in document["images"]) == sorted(
        path.name for path in tmp_path.glob("scene_*")
    )
    assert {path.suffix for path in tmp_path.glob("scene_*")} == {".jpg", ".png"}
    for image in document["images"]:
        scene = extract((tmp_path / image["file_name"]).read_bytes())
        assert scene is not None
        listed = [a for a in document["annotations"] if a["image_id"] == image["id"]]
        assert [(names[a["category_id"]], tuple(a["bbox"])) for a in listed] == [
            (thing.label, thing.box) for thing in scene.things
        ]


def test_the_truth_may_lie_beside_the_folder_which_then_has_pictures_alone(tmp_path: Path) -> None:
    done = write_scenes(tmp_path / "drawn", count=2, seed=2, truth=tmp_path / "truth.json")
    assert done.truth == tmp_path / "truth.json"
    assert len(json.loads(done.truth.read_text())["images"]) == 2
    assert {path.suffix for path in (tmp_path / "drawn").iterdir()} == {".jpg"}


def test_a_second_run_draws_only_what_is_missing_or_damaged(tmp_path: Path) -> None:
    write_scenes(tmp_path, count=4, seed=2)
    before = {path.name: path.read_bytes() for path in tmp_path.glob("scene_*")}
    (tmp_path / "scene_000002.jpg").unlink()
    (tmp_path / "scene_000003.jpg").write_bytes(before["scene_000003.jpg"][:-900])
    again = write_scenes(tmp_path, count=4, seed=2)
    assert (again.written, again.skipped) == (2, 2)
    assert {path.name: path.read_bytes() for path in tmp_path.glob("scene_*")} == before


def test_another_seed_replaces_the_files_of_the_first(tmp_path: Path) -> None:
    write_scenes(tmp_path, count=2, seed=2)
    assert write_scenes(tmp_path, count=2, seed=3).written == 2


def test_the_command_line_reports_what_it_did_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = scenes.main(["--count", "2", "--out", str(tmp_path / "new" / "folder"), "--bad", "4", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert code == 0
    assert (report["written"], report["skipped"], report["bad"]) == (2, 0, 4)
    assert len(list((tmp_path / "new" / "folder").glob("bad_*"))) == 4


@pytest.mark.parametrize("wrong", [["--count", "-1"], ["--png-share", "2"], ["--png-share", "some"], ["--count", "x"]])
def test_a_wrong_argument_ends_with_2_and_names_the_value(
    wrong: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        scenes.main([*wrong, "--out", str(tmp_path)])
    assert stop.value.code == 2
    assert wrong[1] in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_ends_with_1_and_a_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert scenes.main(["--count", "1", "--out", str(tmp_path / "file" / "sub")]) == 1
    assert "choose a folder" in capsys.readouterr().err

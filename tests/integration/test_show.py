"""python -m windmill show on a real PostgreSQL: an image is found by its id, path and URL."""

import json

import pytest

from tests.integration.fleet import Fleet

pytestmark = pytest.mark.database

FILL = """
INSERT INTO images (image_id, image_filename, image_path, image_url, image_group) VALUES
    (7, 'beach.jpg', '/pictures/beach.jpg', NULL, 'g'),
    (8, 'forest.jpg', NULL, 'https://u:hunter22@h/forest.jpg', NULL);
INSERT INTO runs (services, selection, first_image_id, until_image_id, last_image_id)
VALUES ('{clip,ocr,yolov8,colors}', 'new', 0, 100, 100);
INSERT INTO results (image_id, service, status, error_code, error_message) VALUES
    (7, 'clip', 'success', NULL, NULL), (7, 'ocr', 'error', 'IMAGE_TOO_LARGE', 'it has 9 MB');
INSERT INTO merged_boxes (image_id, box_key, source_result_ids, merged_data)
VALUES (7, 'a', '{}', '{"label": "dog", "emoji": "🐶", "confidence": 0.9, "contributing_services": ["yolov8"]}');
INSERT INTO postprocessing (image_id, box_key, service, status, data)
VALUES (7, 'a', 'colors', 'success', '{"predictions": [{"label": "brown"}]}');
INSERT INTO consensus (image_id, consensus_data, source_result_ids)
VALUES (7, '{"votes": {"consensus":
             [{"emoji": "🐶", "probability": 0.9, "why": {"sentence": "Said by clip."}}]}}', '{}');
"""


@pytest.fixture
async def filled(fleet: Fleet) -> Fleet:
    await fleet.rows.execute(FILL)
    return fleet


@pytest.mark.parametrize("named", ["7", "/pictures/beach.jpg", "/pictures/../pictures/beach.jpg"])
async def test_what_is_known_of_an_image_is_told_in_words(filled: Fleet, named: str) -> None:
    end = await filled.run("windmill", "show", named)
    assert (end.code, end.err) == (0, "")
    for said in ("image 7, group g", "🐶 0.90: Said by clip.", "🐶 dog 0.90", "colors says brown", "answered: clip"):
        assert said in end.out
    assert "failed: ocr: IMAGE_TOO_LARGE: it has 9 MB. Remedy: " in end.out
    assert "awaited: colors and yolov8" in end.out


async def test_a_copy_is_told_with_what_is_known_of_its_original(filled: Fleet) -> None:
    await filled.rows.execute(
        "INSERT INTO images (image_id, image_filename, image_path, original_id) VALUES (70, 'c.jpg', '/c.jpg', 7)"
    )
    await filled.rows.execute("""
        INSERT INTO runs (services, selection, image_group, first_image_id, until_image_id, last_image_id)
        VALUES ('{blip}', 'new', 'h', 0, 100, 100), ('{face}', 'new', 'i', 0, 100, 100);
        INSERT INTO image_groups (image_group, image_id, after_run)
        SELECT 'h', 7, max(run_id) FROM runs UNION ALL VALUES ('i', 7, 0);
    """)
    end = await filled.run("windmill", "show", "70")
    for said in ("a copy of image 7", "🐶 0.90: Said by clip.", "answered: clip", "awaited: colors, face and yolov8\n"):
        assert said in end.out


async def test_an_image_is_found_by_its_url_which_is_shown_without_its_password(filled: Fleet) -> None:
    end = await filled.run("windmill", "show", "https://u:hunter22@h/forest.jpg", "--json")
    document = json.loads(end.out)
    assert (document["image"]["image_id"], document["votes"]) == (8, None)
    assert "hunter22" not in end.out


@pytest.mark.parametrize(
    ("named", "nearest"),
    [
        ("9", "the nearest are 7, 8"),
        ("/elsewhere/beech.jpg", "the nearest are /pictures/beach.jpg"),
        ("\udcff", "register"),
    ],
)
async def test_an_unknown_image_is_told_with_the_nearest_names(filled: Fleet, named: str, nearest: str) -> None:
    end = await filled.run("windmill", "show", named)
    assert end.code == 2
    assert end.err.startswith("NOT_FOUND: ")
    assert nearest in end.err

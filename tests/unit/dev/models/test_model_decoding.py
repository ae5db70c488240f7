"""From the numbers of a network to boxes, points and words."""

import numpy as np
import pytest

from dev.models import blazeface, blazepose, centernet, nanodet
from dev.models.detections import sightings_of
from dev.models.efficientnet import label_of, middle_of, surest
from dev.models.ocr import batch_of, size_for_finding, spelled
from dev.models.text_lines import bounds, in_order, lines_in, straightened


def _level(side: int, cell: int = -1, label: int = 0, bins: tuple[int, ...] = (0, 0, 0, 0)) -> list[np.ndarray]:
    """Scores and distances of one level of NanoDet with at most one object."""
    scores, distances = np.zeros((1, side**2, 80)), np.zeros((1, side**2, 4, 11))
    if cell >= 0:
        scores[0, cell, label] = 0.75
        for edge, distance in enumerate(bins):
            distances[0, cell, edge, distance] = 100
    return [scores.astype(np.float32), distances.reshape(1, side**2, 44).astype(np.float32)]


def test_nanodet_reaches_from_the_middle_of_a_cell_by_multiples_of_its_stride() -> None:
    outputs = _level(52) + _level(26, cell=26 + 2, label=15, bins=(1, 0, 3, 2)) + _level(13)
    edges, scores, labels = nanodet.decode(outputs, 0.3)
    assert edges == pytest.approx(np.array([[2.5 * 16 - 16, 1.5 * 16, 2.5 * 16 + 48, 1.5 * 16 + 32]]))
    assert scores.tolist() == [0.75]
    [sighting] = sightings_of(edges, scores, labels)
    assert sighting.label == "cat"


def test_centernet_sees_an_object_at_a_peak_and_none_beside_it() -> None:
    heat, reach = np.zeros((8, 8, 80), np.float32), np.full((8, 8, 4), 6, np.float32)
    heat[3, 5, 16], heat[3, 4, 16], heat[0, 0, 2] = 0.8, 0.7, 0.1
    edges, scores, labels = centernet.decode(reach, heat, 0.25)
    assert edges.tolist() == [[14, 6, 26, 18]]
    assert [round(float(score), 3) for score in scores] == [0.8]
    assert labels.tolist() == [16]


def test_where_nothing_is_warm_centernet_sees_nothing() -> None:
    edges, scores, _ = centernet.decode(np.zeros((4, 4, 4), np.float32), np.zeros((4, 4, 80), np.float32), 0.25)
    assert len(edges) == len(scores) == 0


def test_a_face_and_its_points_are_counted_from_the_anchor() -> None:
    places = np.array([[1, 2, 20, 10, *range(12)]], float)
    edges, points = blazeface.decode(places, np.array([[0.5, 0.25]]))
    assert edges.tolist() == [[96 + 1 - 10, 48 + 2 - 5, 96 + 1 + 10, 48 + 2 + 5]]
    assert points.shape == (1, 6, 2)
    assert points[0, 0].tolist() == [96, 49]


def test_the_crop_of_a_body_stands_upright_with_the_hips_in_the_middle() -> None:
    hip, right_of_it = np.array([100.0, 60.0]), np.array([180.0, 60.0])
    matrix = blazepose.upright(hip, right_of_it)
    assert matrix @ [*hip, 1] == pytest.approx([128, 128])
    across, down = matrix @ [*right_of_it, 1]
    assert across == pytest.approx(128)
    assert down == pytest.approx(128 - 256 / (2 * 1.25)), "what was to the right is above, with a margin"


def test_landmarks_come_back_from_the_crop_to_the_picture() -> None:
    values = np.zeros((33, 5))
    values[0] = [30, 40, 10, 5, 0]
    body = blazepose.landmarks(values, np.array([[2.0, 0, 7], [0, 2, 9]]))
    assert (body["nose"].x, body["nose"].y, body["nose"].z) == pytest.approx((67, 89, 20))
    assert body["nose"].visibility > 0.99
    assert body["left_hip"].visibility == 0.5


def test_nobody_is_prominent_where_no_score_is_high() -> None:
    rows, centres = np.full((3, 13), -4.0), np.full((3, 2), 0.5)
    assert blazepose.most_prominent(rows, centres) is None
    rows[1, 0] = 3
    found = blazepose.most_prominent(rows, centres)
    assert found is not None
    assert found.tolist() == [[108, 108], [108, 108]]


def test_a_letter_may_fill_several_places_and_stands_twice_only_with_a_gap() -> None:
    letters = ["", "l", "o"]
    places = [2, 2, 0, 2, 1, 1, 0]
    scores = np.full((len(places), 3), 0.05)
    scores[range(len(places)), places] = 0.9
    text, sureness = spelled(scores, letters)
    assert text == "ool"
    assert sureness == pytest.approx(0.9)
    assert spelled(scores[-1:], letters) == ("", 0.0)


@pytest.mark.parametrize(
    ("size", "shown"),
    [((4000, 3000), (960, 704)), ((384, 191), (960, 480)), ((96, 96), (480, 480)), ((1, 1), (480, 480))],
)
def test_text_is_looked_for_in_a_size_of_multiples_of_32(size: tuple[int, int], shown: tuple[int, int]) -> None:
    assert size_for_finding(*size) == shown


def test_lines_to_read_are_filled_up_to_the_widest_of_them() -> None:
    lines = [np.full((24, width, 3), 255, np.uint8) for width in (40, 400)]
    batch = batch_of(lines)
    assert batch.shape == (2, 3, 48, 800)
    assert batch[0, 0, 0, :80].min() == batch[1].min() == 1
    assert batch[0, :, :, 80:].max() == 0


def test_a_core_of_text_becomes_a_line_of_the_picture_that_is_somewhat_larger() -> None:
    heat = np.zeros((120, 240), np.float32)
    heat[40:52, 60:180] = 0.9
    heat[100:102, 10:12] = 0.9
    [line] = lines_in(heat, 480, 240)
    left, top, width, height = bounds(line)
    assert left < 120 < 360 < left + width
    assert top < 80 < 104 < top + height
    assert height < 64


def test_a_line_that_is_turned_is_cut_out_level() -> None:
    picture = np.zeros((100, 100, 3), np.uint8)
    picture[:, 40:60] = 250
    corners = in_order(np.array([[60, 100], [40, 0], [60, 0], [40, 100]], np.float32))
    assert corners.tolist() == [[40, 0], [60, 0], [60, 100], [40, 100]]
    assert straightened(picture, corners).shape == (20, 100, 3)
    assert straightened(picture, corners)[:, 5:-5].min() > 200


def test_labels_of_imagenet_are_written_as_inception_writes_them_the_surest_first() -> None:
    labels = [label_of(line) for line in ("Egyptian cat", "espresso", "tench, Tinca tinca")]
    assert labels == ["egyptian_cat", "espresso", "tench"]
    assert surest(np.array([0.2, 0.7, 0.1]), labels, 0.15) == [("espresso", 0.7), ("egyptian_cat", 0.2)]


def test_the_middle_of_a_picture_is_its_largest_square() -> None:
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = 9
    assert middle_of(wide).shape == (10, 10, 3)
    assert middle_of(wide).min() == 9

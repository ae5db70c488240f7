"""Colours and metadata: measured on the pixels of any picture, truth or not."""

import io
import math
from typing import Any

import pytest
from PIL import Image

from dev.farm.answers import predictions
from dev.farm.answers.palette import tone
from dev.farm.layout import make_scene
from dev.farm.pictures import Picture, open_picture
from dev.farm.scenes import encode


def _plain(color: tuple[int, int, int] = (200, 30, 30), size: tuple[int, int] = (120, 90)) -> Picture:
    file = io.BytesIO()
    Image.new("RGB", size, color).save(file, "PNG")
    return open_picture(file.getvalue())


def _ask(service: str, picture: Picture) -> list[dict[str, Any]]:
    answer: list[dict[str, Any]] = predictions(service, picture, 1)
    return answer


def test_colors_names_the_nearest_marker_with_its_code_and_temperature() -> None:
    answer = _ask("colors", _plain((200, 30, 45)))[0]
    assert answer["primary"] == {"copic": "Cardinal (R29)", "hex": "#c8202f", "temperature": "warm"}
    assert answer["palette"] == {"temperature": "warm", "colors": [answer["primary"]]}


@pytest.mark.parametrize(
    ("color", "temperature"),
    [((140, 193, 232), "cool"), ((245, 180, 95), "warm"), ((122, 90, 64), "neutral"), ((27, 28, 30), "cool")],
)
def test_the_letters_of_the_code_tell_the_temperature(color: tuple[int, int, int], temperature: str) -> None:
    assert _ask("colors", _plain(color))[0]["palette"]["temperature"] == temperature


def test_a_drawn_palette_has_at_most_eight_entries_each_once() -> None:
    entries = _ask("colors", open_picture(encode(make_scene(7, 5))))[0]["palette"]["colors"]
    assert 1 < len(entries) <= 8
    assert len({entry["hex"] for entry in entries}) == len(entries)


@pytest.mark.parametrize(
    ("color", "word"),
    [((30, 60, 160), "blue"), ((0, 0, 0), "black"), ((250, 250, 250), "white"), ((79, 166, 88), "green")],
)
def test_a_caption_without_truth_speaks_of_the_colour_that_is_really_there(
    color: tuple[int, int, int], word: str
) -> None:
    assert tone(_plain(color)) == word
    assert word in _ask("blip", _plain(color))[0]["text"]


def test_metadata_measures_the_pixels() -> None:
    black_and_white = Image.new("L", (90, 60), 0)
    black_and_white.paste(255, (0, 0, 45, 60))
    file = io.BytesIO()
    black_and_white.save(file, "PNG")
    answer = _ask("metadata", open_picture(file.getvalue()))[0]
    quality, composition = answer["image_quality"], answer["composition"]
    assert answer["dimensions"] == {"width": 90, "height": 60}
    assert answer["aspect_ratio"] == {"category": "landscape", "ratio": 1.5}
    assert answer["color_properties"]["saturation_analysis"]["average_saturation"] == 0
    assert quality["lighting_analysis"]["mean_brightness"] == 127.5
    assert quality["contrast_analysis"]["brightness_variation"] == 127.5
    assert quality["exposure_analysis"]["dark_pixel_ratio"] == 0.5
    assert quality["exposure_analysis"]["bright_pixel_ratio"] == 0.5
    assert quality["exposure_analysis"]["exposure_quality"] == 0
    assert composition["symmetry_analysis"] == {"horizontal_symmetry_score": 0.0, "symmetry_level": 0.0}
    assert composition["rule_of_thirds"]["section_brightness"] == [255, 127.5, 0] * 3
    assert composition["rule_of_thirds"]["most_interesting_section"] == 1
    assert 0 < composition["complexity_analysis"]["edge_density"] < 0.1


def test_the_perceptual_hash_of_metadata_stays_with_size_and_compression_and_tells_pictures_apart() -> None:
    def hash_of(data: bytes) -> int:
        return int(_ask("metadata", open_picture(data))[0]["phash"], 16)

    one, other = (encode(make_scene(7, number), "PNG") for number in (1, 2))
    smaller, image = io.BytesIO(), Image.open(io.BytesIO(one)).convert("RGB")
    image.resize((image.width // 2, image.height // 2)).save(smaller, "JPEG", quality=80)
    assert (hash_of(one) ^ hash_of(smaller.getvalue())).bit_count() <= 3
    assert (hash_of(one) ^ hash_of(other)).bit_count() > 8


def test_metadata_tells_only_the_temporary_files_times_and_type() -> None:
    answer = _ask("metadata", open_picture(encode(make_scene(7, 1), "PNG")))[0]
    assert set(answer["exif_data"]) == {
        "File:FileModifyDate",
        "File:FileAccessDate",
        "File:FileInodeChangeDate",
    }
    assert answer["file"]["file_type"] == "jpeg"
    assert answer["file"]["file_size"] > 1000


@pytest.mark.parametrize(
    ("size", "sections_are_numbers", "symmetry_is_a_number"),
    [((1, 1), False, False), ((2, 9), False, True), ((9, 2), False, True), ((3, 3), True, True)],
)
def test_pictures_under_three_pixels_a_side_have_sections_that_are_no_numbers(
    size: tuple[int, int], sections_are_numbers: bool, symmetry_is_a_number: bool
) -> None:
    composition = _ask("metadata", _plain(size=size))[0]["composition"]
    sections = composition["rule_of_thirds"]["section_brightness"]
    assert [math.isnan(value) for value in sections] == [not sections_are_numbers] * 9
    score = composition["symmetry_analysis"]["horizontal_symmetry_score"]
    assert math.isnan(score) != symmetry_is_a_number

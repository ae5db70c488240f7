"""The steps on pictures as they run in a job: files in, files out."""

import itertools
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.unit.kernels.pictures.made_pictures import high_frequency_variance, noisy, scene
from windmill.core.errors import WindmillError
from windmill.kernels.pictures.tone_mapping import tone_map
from windmill.pipelines.image import PICTURE_STEPS

ON_ONE = [name for name, step in PICTURE_STEPS.items() if list(step.inputs) == ["picture"]]
CHANGING: dict[str, dict[str, Any]] = {
    "film_grain": {"strength": 0.5},
    "tone_map": {},
    "color_grade": {"look": "warm"},
    "sharpen": {"amount": 2.0, "threshold": 0.0},
    "denoise": {"strength": 0.3, "reach": 2},
    "upscale": {"factor": 2},
}


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    Image.fromarray(noisy(scene(), 0.05)).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def pixels(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image)


def test_the_tests_know_every_step_on_one_picture() -> None:
    assert sorted(ON_ONE) == sorted(CHANGING)


@pytest.mark.parametrize("name", ON_ONE)
def test_a_step_makes_one_picture_that_differs_and_the_same_bytes_each_time(
    name: str, photo: Path, tmp_path: Path
) -> None:
    runs = [
        PICTURE_STEPS[name].run({"picture": [photo]}, CHANGING[name], tmp_path / out) for out in ("first", "second")
    ]
    assert [len(run) for run in runs] == [1, 1]
    assert runs[0][0].read_bytes() == runs[1][0].read_bytes()
    assert pixels(runs[0][0]).tobytes() != pixels(photo).tobytes()


@pytest.mark.parametrize("name", ON_ONE)
def test_a_step_runs_with_its_defaults_alone(name: str, photo: Path, tmp_path: Path) -> None:
    (made,) = PICTURE_STEPS[name].run({"picture": [photo]}, {}, tmp_path / "out")
    factor = 2 if name == "upscale" else 1
    assert pixels(made).shape == (96 * factor, 128 * factor, 3)


def test_grain_shows_in_the_file_and_tone_mapping_is_that_of_the_formula(tmp_path: Path) -> None:
    Image.fromarray(scene()).save(tmp_path / "clean.png")
    (grained,) = PICTURE_STEPS["film_grain"].run({"picture": [tmp_path / "clean.png"]}, {"seed": 3}, tmp_path / "g")
    assert high_frequency_variance(pixels(grained)) > high_frequency_variance(scene()) + 1e-4
    (mapped,) = PICTURE_STEPS["tone_map"].run({"picture": [tmp_path / "clean.png"]}, {}, tmp_path / "t")
    assert pixels(mapped).tobytes() == tone_map(scene(), 0.18, 1).tobytes()


@pytest.mark.parametrize("name", ON_ONE)
def test_transparency_stays(name: str, tmp_path: Path) -> None:
    alpha = np.zeros((96, 128, 1), dtype=np.uint8)
    alpha[:, 64:] = 255
    Image.fromarray(np.dstack([scene(), alpha])).save(tmp_path / "cut.png")
    (made,) = PICTURE_STEPS[name].run({"picture": [tmp_path / "cut.png"]}, CHANGING[name], tmp_path / "out")
    found = pixels(made)
    assert found.shape[2] == 4
    assert (found[10, 10, 3], found[10, -10, 3]) == (0, 255)


def test_a_turned_photograph_comes_out_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rows run from the right side
    Image.fromarray(scene()).save(tmp_path / "turned.jpg", exif=exif)
    (made,) = PICTURE_STEPS["sharpen"].run({"picture": [tmp_path / "turned.jpg"]}, {}, tmp_path / "out")
    with Image.open(made) as image:
        assert image.size == (96, 128)
        assert image.getexif().get(0x0112, 1) == 1


def test_a_grey_picture_of_16_bits_is_scaled_and_not_clipped(tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 8), 0x4000, dtype=np.uint16)).save(tmp_path / "deep.png")
    (made,) = PICTURE_STEPS["color_grade"].run({"picture": [tmp_path / "deep.png"]}, {"look": "neutral"}, tmp_path)
    assert abs(int(pixels(made)[4, 4, 0]) - 64) <= 1


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1"])
def test_pictures_of_any_kind_are_read(mode: str, tmp_path: Path) -> None:
    Image.fromarray(scene()).convert(mode).save(tmp_path / "some", "TIFF" if mode == "CMYK" else "PNG")
    (result,) = PICTURE_STEPS["color_grade"].run({"picture": [tmp_path / "some"]}, {}, tmp_path / "out")
    assert pixels(result).shape[:2] == (96, 128)


@pytest.mark.parametrize(("data", "code"), [(b"no picture", "IMAGE_UNREADABLE"), (b"", "IMAGE_UNREADABLE")])
def test_a_file_that_is_no_picture_is_told_as_such(data: bytes, code: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(data)
    for name in PICTURE_STEPS:
        with pytest.raises(WindmillError, match=code):
            PICTURE_STEPS[name].run({one: [tmp_path / "x"] for one in PICTURE_STEPS[name].inputs}, {}, tmp_path / "out")


def test_a_broken_picture_is_told_as_such(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "half.png").write_bytes(photo.read_bytes()[:2_000])
    with pytest.raises(WindmillError, match="IMAGE_UNREADABLE"):
        PICTURE_STEPS["sharpen"].run({"picture": [tmp_path / "half.png"]}, {}, tmp_path / "out")


def test_neither_what_is_read_nor_what_is_made_may_be_over_the_limit(photo: Path, tmp_path: Path) -> None:
    upscale = PICTURE_STEPS["upscale"]
    with pytest.raises(WindmillError, match="IMAGE_TOO_LARGE"):
        upscale.run({"picture": [photo]}, {}, tmp_path / "out", max_pixels=96 * 128 - 1)
    with pytest.raises(WindmillError, match=r"IMAGE_TOO_LARGE.*256 x 192 pixels"):
        upscale.run({"picture": [photo]}, {}, tmp_path / "out", max_pixels=4 * 96 * 128 - 1)
    assert upscale.run({"picture": [photo]}, {}, tmp_path / "out", max_pixels=4 * 96 * 128)


@pytest.mark.parametrize(
    ("parameters", "said"), [({"strength": 2}, "a number from 0 to 1"), ({"stregth": 1}, "did you mean 'strength'?")]
)
def test_a_parameter_that_cannot_be_is_refused(
    parameters: dict[str, Any], said: str, photo: Path, tmp_path: Path
) -> None:
    with pytest.raises(WindmillError) as raised:
        PICTURE_STEPS["film_grain"].run({"picture": [photo]}, parameters, tmp_path / "out")
    assert said in str(raised.value)


@pytest.mark.parametrize("name", PICTURE_STEPS)
def test_a_step_without_its_files_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(WindmillError, match="needs the input"):
        PICTURE_STEPS[name].run({}, {}, tmp_path / "out")


def test_a_contact_sheet_has_every_picture_in_its_order(tmp_path: Path) -> None:
    paths = []
    for number in range(5):
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(np.full((30, 30, 3), 40 * number, dtype=np.uint8)).save(paths[-1])
    sizes = {"cell_width": 30, "cell_height": 30, "gap": 2}
    (sheet,) = PICTURE_STEPS["contact_sheet"].run({"pictures": paths}, sizes, tmp_path / "out")
    found = pixels(sheet)
    middles = itertools.product((17, 49), (17, 49, 81))
    assert [int(found[y, x, 0]) for y, x in middles] == [0, 40, 80, 120, 160, 255]


def test_reference_pictures_become_upright_bounded_files_in_their_order(photo: Path, tmp_path: Path) -> None:
    Image.fromarray(scene(200, 400)).save(tmp_path / "wide.jpg")
    made = PICTURE_STEPS["load_pictures"].run(
        {"pictures": [tmp_path / "wide.jpg", photo]}, {"max_side": 100}, tmp_path / "out"
    )
    assert [pixels(path).shape for path in made] == [(50, 100, 3), (75, 100, 3)]


def test_a_colour_profile_is_kept(tmp_path: Path) -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    target = BytesIO()
    Image.fromarray(scene()).save(target, "PNG", icc_profile=profile)
    (tmp_path / "p.png").write_bytes(target.getvalue())
    (made,) = PICTURE_STEPS["film_grain"].run({"picture": [tmp_path / "p.png"]}, {}, tmp_path / "out")
    with Image.open(made) as image:
        assert image.info["icc_profile"] == profile

"""The shipped presets from the request to the picture: each condition makes a picture that differs by a measure."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.unit.kernels.pictures.made_pictures import high_frequency_variance, noisy, psnr, scene
from tests.unit.pipelines.local_run import run_locally
from windmill.kernels.pictures.color_grading import LOOKS, color_grade
from windmill.kernels.pictures.tone_mapping import tone_map
from windmill.pipelines.presets.preset_library import SHIPPED, load_presets
from windmill.pipelines.presets.preset_request import read_request

LIBRARY = load_presets(SHIPPED / "nowhere")


def made(
    name: str, quality: str, out: Path, files: dict[str, list[Path]] | None = None, **inputs: object
) -> dict[str, Any]:
    request = read_request(LIBRARY.get(name).preset, inputs, quality, consent_given=True, draw_seed=lambda: 7)
    return {step: [pixels(path) for path in paths] for step, paths in run_locally(request, files or {}, out).items()}


def pixels(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image)


def test_a_cinematic_portrait_has_grain_at_every_level(tmp_path: Path) -> None:
    steps = made("cinematic_portrait_v1", "low", tmp_path, prompt="a")
    assert list(steps) == ["generate_image", "apply_film_grain"]
    before, after = (high_frequency_variance(steps[name][0]) for name in steps)
    assert after > before + 1e-3


def test_it_is_tone_mapped_from_standard_on_as_the_formula_says_and_graded_in_pro(tmp_path: Path) -> None:
    standard = made("cinematic_portrait_v1", "standard", tmp_path / "s", prompt="a")
    pro = made("cinematic_portrait_v1", "pro", tmp_path / "p", prompt="a")
    grained = standard["apply_film_grain"][0]
    assert standard["apply_tone_mapping"][0].tobytes() == tone_map(grained, 0.18, 0.5).tobytes() != grained.tobytes()
    graded = color_grade(pro["apply_tone_mapping"][0], LOOKS["cinematic"])
    assert pro["apply_color_grading"][0].tobytes() == graded.tobytes() != pro["apply_tone_mapping"][0].tobytes()


def test_the_same_seed_makes_the_same_picture_and_another_seed_another(tmp_path: Path) -> None:
    first, again, other = (
        made("cinematic_portrait_v1", "pro", tmp_path / str(number), prompt="a", seed=seed)["apply_color_grading"][0]
        for number, seed in enumerate((1, 1, 2))
    )
    assert first.tobytes() == again.tobytes() != other.tobytes()


def test_a_photoreal_portrait_has_its_face_restored_and_twice_the_size_in_pro_only(tmp_path: Path) -> None:
    results = {
        level: made("photoreal_portrait_v1", level, tmp_path / level, prompt="a")
        for level in ("low", "standard", "pro")
    }
    marked = {
        level: tuple(next(reversed(steps.values()))[0][1, 1]) == (255, 0, 255) for level, steps in results.items()
    }
    assert marked == {"low": False, "standard": True, "pro": True}
    sizes = {level: next(reversed(steps.values()))[0].shape[:2] for level, steps in results.items()}
    assert sizes == {"low": (96, 128), "standard": (96, 128), "pro": (192, 256)}


@pytest.mark.parametrize(("quality", "factor"), [("low", 2), ("standard", 2), ("pro", 4)])
def test_an_upscaled_picture_is_larger_and_has_less_noise(quality: str, factor: int, tmp_path: Path) -> None:
    Image.fromarray(noisy(scene(), 0.04)).save(tmp_path / "noisy.png")
    files = {"image": [tmp_path / "noisy.png"]}
    steps = made("upscale_denoise_image_v1", quality, tmp_path / "out", files, image="x")
    assert psnr(steps["denoise"][0], scene()) > psnr(noisy(scene(), 0.04), scene()) + 4
    assert next(reversed(steps.values()))[0].shape == (96 * factor, 128 * factor, 3)
    assert ("sharpen" in steps) == (quality != "low")


def test_a_storyboard_has_a_sheet_with_every_shot(tmp_path: Path) -> None:
    steps = made("storyboard_builder_v1", "low", tmp_path, prompt_template="shot {shot_number}", shot_count=4)
    assert len(steps["generate_shots"]) == 4
    (sheet,) = steps["contact_sheet"]
    assert sheet.shape == (12 + 2 * (288 + 12), 12 + 2 * (512 + 12), 3)


def test_references_reach_the_engine_as_upright_pictures(tmp_path: Path) -> None:
    Image.fromarray(scene()).save(tmp_path / "face.jpg")
    files = {"identity_reference": [tmp_path / "face.jpg"] * 2}
    steps = made("identity_lock_portrait_v1", "low", tmp_path / "out", files, prompt="a", identity_reference=["x", "y"])
    assert len(steps["load_identity_reference"]) == 2
    assert list(steps) == ["load_identity_reference", "generate_image_with_identity"]

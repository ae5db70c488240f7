"""The graphs that ship with Windmill do what their tasks say, on a server that refuses what ComfyUI does not know."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from dev.farm.comfyui.nodes import NODES
from dev.farm.comfyui.server import CHECKPOINT, ComfyUiStandIn, serving
from tests.unit.kernels.pictures.made_pictures import high_frequency_variance, scene
from tests.unit.pipelines.test_preset_requests import LIBRARY, request
from windmill.core.errors import WindmillError
from windmill.core.paths import packaged_file
from windmill.core.service_access import ServiceAccess
from windmill.core.service_urls import service_url
from windmill.core.settings import ROOT, Settings
from windmill.engines.comfyui.engine import ComfyUiEngine
from windmill.engines.comfyui.task_graphs import graph_of
from windmill.engines.configuration import load_engines
from windmill.engines.engine import EngineOutput, EngineRequest, JsonValue
from windmill.engines.entries import ComfyUiEntry
from windmill.pipelines.presets.planned_steps import plan_steps

GRAPHS = {path.stem: str(path) for path in sorted((packaged_file("presets") / "graphs").glob("*.json"))}
PAGE = (ROOT / "docs" / "engines.md").read_text(encoding="utf-8")
NEED_MORE = {"generate_image_with_identity", "restore_faces"}
"""Tasks of shipped presets for which ComfyUI needs nodes of others."""


class Comfy:
    """An engine with the shipped graphs, and a stand-in behind it."""

    def __init__(self, url: str, folder: Path, **entry: str) -> None:
        made = ComfyUiEntry(url=service_url(url, "url"), graphs=GRAPHS, checkpoint=entry.get("checkpoint", ""))
        self.engine = ComfyUiEngine("comfy", made, ServiceAccess())
        self.folder = folder
        self._number = 0
        Image.fromarray(scene()).save(folder / "scene.png")

    async def run(self, task: str, inputs: Sequence[str] = ("picture",), **parameters: JsonValue) -> EngineOutput:
        self._number += 1
        files = {name: self.folder / "scene.png" for name in inputs}
        scratch = self.folder / str(self._number)
        asked = EngineRequest(f"job-{self._number}", files, {"task": task, **parameters}, scratch)
        return await self.engine.run(asked, lambda _: None, asyncio.Event())

    async def pixels(
        self, task: str, inputs: Sequence[str] = ("picture",), **parameters: JsonValue
    ) -> NDArray[np.uint8]:
        [file] = (await self.run(task, inputs, **parameters)).files
        with Image.open(file.path) as image:
            return np.asarray(image)


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    async with serving(ComfyUiStandIn(tmp_path / "comfyui")) as url:
        yield url


@pytest.fixture
async def comfy(url: str, tmp_path: Path) -> AsyncIterator[Comfy]:
    made = Comfy(url, tmp_path)
    yield made
    await made.engine.close()


async def test_the_base_picture_has_the_asked_size_and_differs_by_seed_and_prompt(comfy: Comfy) -> None:
    asked: dict[str, JsonValue] = {
        "prompt": "a cat",
        "checkpoint": CHECKPOINT,
        "width": 128,
        "height": 64,
        "steps": 3,
        "sampler": "dpmpp_2m",
    }
    first = await comfy.pixels("generate_image", (), **asked, seed=1)
    assert first.shape == (64, 128, 3)
    others: list[dict[str, JsonValue]] = [
        {"seed": 2},
        {"seed": 1, "prompt": "a dog"},
        {"seed": 1, "negative_prompt": "grass"},
    ]
    for other in others:
        assert (await comfy.pixels("generate_image", (), **{**asked, **other})).tobytes() != first.tobytes()
    assert (await comfy.pixels("generate_image", (), **asked, seed=1)).tobytes() == first.tobytes()


@pytest.mark.parametrize("preset", ["photoreal_portrait_v1", "cinematic_portrait_v1", "storyboard_builder_v1"])
async def test_the_base_picture_of_a_shipped_preset_is_drawn_and_nothing_it_asks_for_is_left_out(
    comfy: Comfy, preset: str
) -> None:
    texts = {"prompt": "a"} if "portrait" in preset else {"prompt_template": "shot {shot_number}"}
    step = plan_steps(request(preset, "low", **texts))[0]
    output = await comfy.run(step.task, (), **{**step.parameters[0], "width": 64, "height": 64})
    assert "ignored" not in output.facts


async def test_the_checkpoint_of_the_entry_takes_the_place_of_the_one_of_the_preset(url: str, tmp_path: Path) -> None:
    comfy = Comfy(url, tmp_path, checkpoint="mine.safetensors")
    try:
        with pytest.raises(
            WindmillError, match=r"DEPENDENCY_MISSING: ComfyUI has no mine\.safetensors .*" + CHECKPOINT
        ):
            await comfy.run("generate_image", (), prompt="a", checkpoint=CHECKPOINT)
    finally:
        await comfy.engine.close()


async def test_grain_is_finer_than_the_picture_and_the_same_for_the_same_seed(comfy: Comfy) -> None:
    grained = await comfy.pixels("film_grain", strength=0.06, seed=3)
    assert high_frequency_variance(grained) > high_frequency_variance(scene()) + 1e-3
    assert grained.tobytes() == (await comfy.pixels("film_grain", strength=0.06, seed=3)).tobytes()
    assert grained.tobytes() != (await comfy.pixels("film_grain", strength=0.06, seed=4)).tobytes()


async def test_a_picture_is_enlarged_sharpened_and_made_warm(comfy: Comfy) -> None:
    assert (await comfy.pixels("upscale", factor=3)).shape == (288, 384, 3)
    assert high_frequency_variance(await comfy.pixels("sharpen", amount=1.0)) > 1.5 * high_frequency_variance(scene())
    warm = (await comfy.pixels("color_grade", color=0xFF8000, strength=1.0)).astype(float)
    red, green, blue = (warm[..., channel].mean() / scene()[..., channel].mean() for channel in range(3))
    assert red == pytest.approx(1, abs=0.02)
    assert green == pytest.approx(0.5, abs=0.02)
    assert blue == pytest.approx(0, abs=0.02)


async def test_a_face_that_a_graph_has_no_place_for_is_never_left_out_in_silence(comfy: Comfy) -> None:
    with pytest.raises(WindmillError, match=r"DEPENDENCY_MISSING: .* has no place for identity_reference"):
        await comfy.run("generate_image", ("identity_reference",), prompt="a", checkpoint=CHECKPOINT)
    for task in NEED_MORE:
        with pytest.raises(WindmillError, match=f"DEPENDENCY_MISSING: the engine comfy has no graph for {task}"):
            await comfy.run(task)


async def test_a_parameter_that_a_graph_has_no_place_for_is_told(comfy: Comfy) -> None:
    output = await comfy.run("upscale", factor=2, sharpness=3)
    assert output.facts["ignored"] == ["sharpness"]


def test_every_task_of_a_shipped_preset_has_a_graph_or_needs_nodes_of_others() -> None:
    presets = [found.preset for found in LIBRARY.found.values() if "local_comfy" in found.preset.engines]
    tasks = {step.task for preset in presets for step in preset.steps if step.task}
    assert tasks - GRAPHS.keys() == NEED_MORE


@pytest.mark.parametrize("task", GRAPHS)
def test_a_graph_names_only_nodes_and_inputs_that_comfyui_has(task: str) -> None:
    graph: Any = graph_of(EngineRequest("x", {}, {"task": task}, Path()), "it", GRAPHS)
    for node in graph.values():
        assert node["inputs"].keys() == NODES[node["class_type"]].inputs.keys()


def test_a_graph_that_ships_is_found_wherever_windmill_was_installed(tmp_path: Path) -> None:
    entry = '{"kind": "comfyui", "url": "http://h:1", "graphs": {"upscale": "presets/graphs/upscale.json"}}'
    (tmp_path / "service_config.json").write_text(f'{{"services": {{}}, "engines": {{"comfy": {entry}}}}}')
    found = load_engines(tmp_path / "service_config.json", Settings.from_env({}), tmp_path)["comfy"]
    assert isinstance(found, ComfyUiEntry)
    assert found.graphs == {"upscale": GRAPHS["upscale"]}


@pytest.mark.parametrize("task", GRAPHS)
def test_the_page_tells_each_graph_with_its_parameters(task: str) -> None:
    graph: Any = graph_of(EngineRequest("x", {}, {"task": task}, Path()), "it", GRAPHS)
    values = [value for node in graph.values() for value in node["inputs"].values() if isinstance(value, dict)]
    named = [str(value["$parameter"]) for value in values if "$parameter" in value]
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{task}` |")]
    assert all(f"`{name}`" in row for name in named)

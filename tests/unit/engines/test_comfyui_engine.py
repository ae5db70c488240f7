"""The ComfyUI engine against the stand-in: graphs, refusals and what is made."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from PIL import Image

from tests.conformance.engines.rigs import GRAPH
from tests.unit.engines.comfyui_scene import asking, server
from windmill.core.service_access import ServiceAccess
from windmill.core.service_urls import service_url
from windmill.engines.comfyui.engine import ComfyUiEngine
from windmill.engines.engine import EngineRequest, JsonValue
from windmill.engines.entries import ComfyUiEntry

Graph = dict[str, Any]
TEXT_TO_IMAGE: Graph = {
    "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd_xl_base_1.0.safetensors"}},
    "2": {"class_type": "CLIPTextEncode", "inputs": {"text": {"$parameter": "prompt"}, "clip": ["1", 1]}},
    "3": {"class_type": "CLIPTextEncode", "inputs": {"text": "", "clip": ["1", 1]}},
    "4": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 48, "batch_size": 1}},
    "5": {
        "class_type": "KSampler",
        "inputs": {
            **{"model": ["1", 0], "seed": {"$parameter": "seed"}, "steps": 4, "cfg": 7.0, "denoise": 1.0},
            **{"sampler_name": "dpmpp_2m", "scheduler": "karras"},
            **{"positive": ["2", 0], "negative": ["3", 0], "latent_image": ["4", 0]},
        },
    },
    "6": {"class_type": "VAEDecode", "inputs": {"samples": ["5", 0], "vae": ["1", 2]}},
    "7": {"class_type": "SaveImage", "inputs": {"images": ["6", 0], "filename_prefix": "picture"}},
}


def changed(node: str, **inputs: object) -> Graph:
    before = TEXT_TO_IMAGE[node]
    return {**TEXT_TO_IMAGE, node: {**before, "inputs": {**before["inputs"], **inputs}}}


async def test_the_usual_graph_of_a_checkpoint_runs_and_its_seed_decides(tmp_path: Path) -> None:
    async with server(tmp_path) as it:
        made = [
            (await it.start(asking(tmp_path, TEXT_TO_IMAGE, name, seed=seed))).files[0].path.read_bytes()
            for name, seed in (("job-1", 0), ("job-2", 0), ("job-3", 1))
        ]
        assert made[0] == made[1] != made[2]


async def test_prompt_and_files_bear_the_name_of_the_request(tmp_path: Path) -> None:
    async with server(tmp_path) as it:
        output = await it.start(asking(tmp_path))
        assert list(it.stand_in.prompts.history) == ["job-7"]
        saved = sorted(path.name for path in (tmp_path / "comfyui/output/job-7").iterdir())
        assert saved == [file.name for file in output.files]


async def test_an_input_is_uploaded_once_by_its_content(tmp_path: Path) -> None:
    graph: Graph = {
        "1": {"class_type": "LoadImage", "inputs": {"image": {"$input": "photo"}}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "a"}},
    }
    photo = tmp_path / "a photo.png"
    Image.new("RGB", (20, 10), "red").save(photo)
    async with server(tmp_path) as it:
        for name in ("job-1", "job-2"):
            request = EngineRequest(name, {"photo": photo}, {}, tmp_path / name, graph)
            [file] = (await it.start(request)).files
            with Image.open(file.path) as image:
                assert image.size == (20, 10)
        assert len(list((tmp_path / "comfyui/input").iterdir())) == 1


async def test_a_missing_checkpoint_is_named_with_what_is_installed(tmp_path: Path) -> None:
    async with server(tmp_path) as it:
        error = await it.failure(asking(tmp_path, changed("1", ckpt_name="dreamshaper.safetensors")))
    assert (error.code, error.retry) == ("DEPENDENCY_MISSING", "never")
    assert "dreamshaper.safetensors" in error.message
    assert "sd_xl_base_1.0.safetensors" in error.message


async def test_a_long_list_that_the_refusal_does_not_tell_is_asked_for(tmp_path: Path) -> None:
    many = tuple(f"model_{number:02}.safetensors" for number in range(30))
    async with server(tmp_path, {"checkpoints": many}) as it:
        error = await it.failure(asking(tmp_path, TEXT_TO_IMAGE))
    assert "model_00.safetensors" in error.message
    assert "and 10 more" in error.message


async def test_with_no_checkpoint_at_all_that_is_said(tmp_path: Path) -> None:
    async with server(tmp_path, {"checkpoints": ()}) as it:
        assert "none is installed" in (await it.failure(asking(tmp_path, TEXT_TO_IMAGE))).message


async def test_unknown_nodes_are_named(tmp_path: Path) -> None:
    graph = {**TEXT_TO_IMAGE, "8": {"class_type": "FaceRestore", "inputs": {}}}
    async with server(tmp_path) as it:
        error = await it.failure(asking(tmp_path, graph))
    assert error.code == "DEPENDENCY_MISSING"
    assert "FaceRestore" in error.message
    assert "KSampler" not in error.message


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"seed": None}, "Failed to convert"),
        ({"steps": 0}, "smaller than min"),
        ({"sampler_name": "best"}, "not in list"),
    ],
)
async def test_a_wrong_graph_is_refused_with_its_reason(inputs: dict[str, object], said: str, tmp_path: Path) -> None:
    async with server(tmp_path) as it:
        error = await it.failure(asking(tmp_path, changed("5", **inputs)))
    assert (error.code, error.retry) == ("SERVICE_REJECTED", "never")
    assert said in error.message
    assert "node 5 (KSampler)" in error.message


async def test_half_a_graph_that_the_server_accepts_is_a_failure_and_does_not_go_on(tmp_path: Path) -> None:
    half: Graph = {**GRAPH, "9": {"class_type": "SaveImage", "inputs": {"filename_prefix": "x"}}}
    async with server(tmp_path) as it:
        it.stand_in.faults.node_seconds = 0.2
        error = await it.failure(asking(tmp_path, half))
        assert error.code == "SERVICE_REJECTED"
        assert "Required input is missing" in error.message


async def test_a_node_without_memory_is_told_by_its_code(tmp_path: Path) -> None:
    async with server(tmp_path) as it:
        it.stand_in.faults.crash, it.stand_in.faults.exception_type = "ImageAddNoise", "torch.OutOfMemoryError"
        assert (await it.failure(asking(tmp_path))).code == "OUT_OF_MEMORY"


async def test_another_program_at_its_address_is_not_well(tmp_path: Path) -> None:
    async with server(tmp_path) as it:
        assert (await it.engine.check()).says.startswith("ComfyUI 0.")
        elsewhere = ComfyUiEngine("x", ComfyUiEntry(url=service_url(f"{it.url}/api/api", "url")), ServiceAccess())
        assert not (await elsewhere.check()).ok
        await elsewhere.close()


@pytest.mark.parametrize("parameters", [{}, {"task": "restore_faces"}])
async def test_a_task_without_a_graph_says_for_which_tasks_there_are_some(
    parameters: dict[str, JsonValue], tmp_path: Path
) -> None:
    async with server(tmp_path, graphs={"generate_image": "text.json"}) as it:
        error = await it.failure(EngineRequest("job-1", {}, parameters, tmp_path))
        assert error.code == "DEPENDENCY_MISSING"
        assert "it has those for: generate_image" in error.message


async def test_a_task_runs_the_graph_that_the_entry_of_the_engine_names(tmp_path: Path) -> None:
    file = tmp_path / "text.json"
    file.write_bytes(orjson.dumps(TEXT_TO_IMAGE))
    async with server(tmp_path, graphs={"generate_image": str(file)}) as it:
        asked = EngineRequest("job-1", {}, {"task": "generate_image", "prompt": "a", "seed": 1}, tmp_path / "scratch")
        assert (await it.start(asked)).files[0].media_type == "image/png"


@pytest.mark.parametrize("text", ["[]", "{", ""])
async def test_a_file_that_holds_no_graph_is_a_mistake_of_the_configuration(text: str, tmp_path: Path) -> None:
    file = tmp_path / "text.json"
    file.write_text(text)
    async with server(tmp_path, graphs={"generate_image": str(file)}) as it:
        error = await it.failure(EngineRequest("job-1", {}, {"task": "generate_image"}, tmp_path))
        assert error.code == "CONFIG_INVALID"

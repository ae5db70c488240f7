"""The stand-in for ComfyUI keeps the contract that `farm check --service comfyui` holds any server to."""

import asyncio
from pathlib import Path

import requests
from aiohttp import web

from dev.farm.comfyui.check import PROBES, check_comfyui
from dev.farm.comfyui.nodes import NODES, Installed
from dev.farm.comfyui.server import ComfyUiStandIn, serving
from dev.farm.comfyui.validation import validate
from tests.conformance.engines.rigs import http_server

SAVE = {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "a"}}


def departures(url: str, seconds: float = 30) -> dict[str, list[str]]:
    with requests.Session() as session:
        return {name: found for name, found in check_comfyui(url, session, seconds) if found}


async def test_the_stand_in_departs_in_nothing(tmp_path: Path) -> None:
    async with serving(ComfyUiStandIn(tmp_path)) as url:
        assert await asyncio.to_thread(departures, url) == {}


async def test_another_program_departs_in_everything(tmp_path: Path) -> None:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.json_response({"hello": "world"})

    async with http_server(answer) as url:
        found = await asyncio.to_thread(departures, url, 1)
    assert found.keys() >= PROBES.keys() - {"every path below /api"}


async def test_a_server_that_forgets_its_prompts_departs(tmp_path: Path) -> None:
    stand_in = ComfyUiStandIn(tmp_path)
    stand_in.faults.forget = True
    async with serving(stand_in) as url:
        found = await asyncio.to_thread(departures, url, 1)
    assert "the prompt does not end" in found["own prompt_id, history and view"]


def test_an_input_that_a_node_does_not_have_is_refused() -> None:
    inputs = {"width": 8, "height": 8, "batch_size": 1, "color": 0, "colour": 0}
    verdict = validate({"1": {"class_type": "EmptyImage", "inputs": inputs}, "2": SAVE}, Installed())
    assert verdict.outputs == ()
    assert "colour" in str(verdict.node_errors)


def test_a_link_must_lead_to_an_output_of_the_right_type() -> None:
    latent = {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}}
    verdict = validate({"1": latent, "2": SAVE}, Installed())
    assert "return_type_mismatch" in str(verdict.node_errors)
    nowhere = validate({"2": SAVE}, Installed())
    assert "bad_linked_input" in str(nowhere.node_errors)


def test_every_node_links_only_to_types_that_some_node_gives() -> None:
    given = {kind for node in NODES.values() for kind in node.outputs} | {"INT", "FLOAT", "STRING", "COMBO"}
    assert {one.type for node in NODES.values() for one in node.inputs.values()} <= given

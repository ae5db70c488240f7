"""Presets: what can be asked for."""

from typing import Annotated, Any

from fastapi import Path, Query

from gateway.context import Context, Gateway
from gateway.guard import Viewer, noun_router
from gateway.presets.shapes import PresetAnswer, PresetList, PresetQuery, PresetShape
from windmill.operate.preset_times import PresetTimes, measure_presets
from windmill.operate.presets import preset_document, select_presets
from windmill.pipelines.presets.preset import Preset
from windmill.pipelines.presets.preset_request import request_schema
from windmill.storage.transactions import transaction

router = noun_router("presets")
PresetId = Annotated[str, Path(max_length=200)]


def _shape(preset: Preset, times: PresetTimes) -> PresetShape:
    return PresetShape.model_validate(preset_document(preset, times.get(preset.id, {})))


async def _times(gateway: Gateway) -> PresetTimes:
    async with transaction(gateway.access.pool, gateway.access.settings) as rows:
        return await measure_presets(rows)


@router.get("/presets")
async def list_presets(gateway: Context, _: Viewer, query: Annotated[PresetQuery, Query()]) -> PresetList:
    """All presets, or those of a category or that can use an engine."""
    found = select_presets(await gateway.presets.library(), query.category, query.engine)
    times = await _times(gateway)
    return PresetList(presets=[_shape(one.preset, times) for one in found], count=len(found))


@router.get("/presets/{preset_id}")
async def show_preset(gateway: Context, _: Viewer, preset_id: PresetId) -> PresetAnswer:
    """One preset."""
    return PresetAnswer(preset=_shape((await gateway.presets.library()).get(preset_id).preset, await _times(gateway)))


@router.get("/presets/{preset_id}/schema")
async def show_schema(gateway: Context, _: Viewer, preset_id: PresetId) -> dict[str, Any]:
    """The JSON Schema of its inputs."""
    return request_schema((await gateway.presets.library()).get(preset_id).preset)

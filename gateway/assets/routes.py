"""Files that are sent before a job needs them. Whoever may see one may fetch it at /artifacts/{id}/content."""

from typing import Annotated

from fastapi import Response

from gateway.assets.shapes import AssetAnswer, AssetForm, AssetId, AssetShape
from gateway.assets.uploads import FILE_FORM, keep_upload
from gateway.context import Context, Who
from gateway.guard import Operator, Viewer, noun_router
from windmill.operate.assets import Asset, find_asset, remove_asset

router = noun_router("assets")


def _shape(asset: Asset) -> AssetShape:
    return AssetShape(
        id=asset.sha256,
        name=asset.name,
        media_type=asset.media_type,
        bytes=asset.bytes,
        created_at=asset.created_at,
    )


@router.post(
    "/assets", status_code=201, responses={200: {"model": AssetAnswer, "description": "You have sent it before."}}
)
async def send_asset(
    gateway: Context, _: Operator, who: Who, response: Response, form: Annotated[AssetForm, FILE_FORM]
) -> AssetAnswer:
    """Send a picture, a video or a recording; jobs take it by its id."""
    kept = await keep_upload(gateway, who, form.file)
    response.status_code = 201 if kept.new else 200
    response.headers["Location"] = f"/assets/{kept.asset.sha256}"
    return AssetAnswer(asset=_shape(kept.asset))


@router.get("/assets/{asset_id}")
async def show_asset(gateway: Context, caller: Viewer, asset_id: AssetId) -> AssetAnswer:
    """What a file is."""
    return AssetAnswer(asset=_shape(await find_asset(gateway.access, asset_id, caller.sees)))


@router.delete("/assets/{asset_id}", status_code=204)
async def forget_asset(gateway: Context, caller: Operator, who: Who, asset_id: AssetId) -> None:
    """Forget a file. Jobs that were given it keep it."""
    await remove_asset(gateway.access, who, asset_id, caller.sees)

"""Files that are sent, outside; the id of a file is its SHA-256."""

from datetime import datetime
from typing import Annotated

from fastapi import Path, UploadFile

from gateway.shape import Shape

AssetId = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="The SHA-256 of the file")]


class AssetForm(Shape):
    """A form with one file."""

    file: UploadFile


class AssetShape(Shape):
    """`media_type` is what the content shows, whatever the file was called."""

    id: str
    name: str
    media_type: str
    bytes: int
    created_at: datetime


class AssetAnswer(Shape):
    asset: AssetShape

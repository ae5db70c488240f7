"""A file of a form, on its way into the store."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import Form, UploadFile

from gateway.context import Gateway
from windmill.operate.assets import KeptAsset, keep_asset
from windmill.storage.audit_log import Actor

FILE_FORM = Form(media_type="multipart/form-data")
"""For a body with a file, which no other kind of form can carry."""


async def keep_upload(gateway: Gateway, who: Actor, file: UploadFile) -> KeptAsset:
    """Store it; raises MEDIA_TYPE_UNSUPPORTED by what it holds."""
    async with as_file(file) as path:
        return await keep_asset(gateway.access, gateway.store, who, file.filename or "", path)


@asynccontextmanager
async def as_file(file: UploadFile) -> AsyncIterator[Path]:
    """A regular file with these bytes, as stores take them."""
    with tempfile.NamedTemporaryFile(prefix="windmill-upload-") as target:
        await asyncio.to_thread(shutil.copyfileobj, file.file, target, 1024 * 1024)
        target.flush()
        yield Path(target.name)

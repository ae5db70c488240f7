"""The headers of uploads that can be resumed, in the protocol tus 1.0. Pure."""

import base64
import binascii
import re
from typing import Annotated

from fastapi import Header, Path

from windmill.core.errors import WindmillError

VERSION = "1.0.0"
EXTENSIONS = "creation,termination,expiration"
UploadId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="The name of an upload, as Location gave it")]
Version = Annotated[str | None, Header(alias="Tus-Resumable", description=f"Must be {VERSION}", examples=[VERSION])]
Length = Annotated[int, Header(alias="Upload-Length", ge=1, description="How many bytes the file has")]
Offset = Annotated[int, Header(alias="Upload-Offset", ge=0, description="How many bytes were sent before")]
Metadata = Annotated[
    str, Header(alias="Upload-Metadata", max_length=4_096, description="filename, and the name in Base64")
]
_PAIR = re.compile(r"\s*([^\s,]+)(?: ([^\s,]*))?\s*")


def must_speak_tus(version: str | None) -> None:
    if version != VERSION:
        said = f"Tus-Resumable is {version or 'missing'}; this gateway speaks {VERSION}"
        raise WindmillError("PRECONDITION_FAILED", said, f"send Tus-Resumable: {VERSION}")


def file_name(metadata: str) -> str:
    """The name of the file among `key base64` pairs with commas between; empty without one."""
    for pair in metadata.split(","):
        found = _PAIR.fullmatch(pair)
        if found and found[1] == "filename" and found[2]:
            try:
                return base64.b64decode(found[2], validate=True).decode("utf-8", "replace")
            except binascii.Error:
                raise WindmillError("USAGE", "filename in Upload-Metadata is not Base64") from None
    return ""

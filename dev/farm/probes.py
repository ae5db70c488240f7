"""Probes of a service's contract, each with the expected reply. Pure."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field

from PIL import Image, ImageDraw

from dev.farm.contract import MAX_BYTES, Traits, traits_of
from dev.farm.judging import Expectation, expect_error, expect_health, expect_page, expect_score_error, expect_success
from windmill.calling.canaries import canary_image
from windmill.core.services import CanaryKind

_NOWHERE = "http://127.0.0.1:9/picture.jpg"
_NO_FILE = "/no/such/directory/picture.jpg"


@dataclass(frozen=True)
class ContractProbe:
    """One request. `upload` is field name, file name and bytes of a multipart form; `raw` is a bare body."""

    name: str
    expected: Expectation
    method: str = "GET"
    path: str = "/analyze"
    query: Mapping[str, str] = field(default_factory=dict)
    upload: tuple[str, str, bytes] | None = None
    raw: bytes | None = None
    finds: CanaryKind | None = None
    """What the service has to find in the picture."""


def probes_for(service: str, canary: CanaryKind | None = None, *, with_health: bool = False) -> list[ContractProbe]:
    """All probes of a service, the most informative first."""
    traits = traits_of(service)
    probes = [*_uploads(service, traits), *_refusals(traits), *_pages()]
    if traits.scores_captions:
        query = {"file": _NO_FILE}
        probes.append(ContractProbe("score without a caption", expect_score_error(traits), path="/score", query=query))
    if canary:
        upload = "file", "image.jpg", canary_image(canary)
        name = f"upload of a picture that shows {canary}"
        probes.append(ContractProbe(name, expect_success(service, traits), "POST", upload=upload, finds=canary))
    if with_health:
        probes.append(ContractProbe("health", expect_health(), path="/health"))
    return probes


def _of_a_transparent_picture(service: str, good: Expectation) -> list[ContractProbe]:
    """`metadata` may refuse it, as the service of the farm does, or measure it."""
    if service == "metadata":
        return []
    return [_upload("upload of a transparent PNG", good, picture("PNG", "RGBA"), filename="image.png")]


def _uploads(service: str, traits: Traits) -> list[ContractProbe]:
    good, jpeg = expect_success(service, traits), picture("JPEG")
    nameless = expect_error(400, traits) if traits.demands_extension else good
    undecodable = expect_error(traits.undecodable, traits)
    oversize = expect_error(traits.oversize, traits)
    return [
        _upload("upload of a JPEG", good, jpeg),
        _upload("upload of a JPEG to /v3/analyze", good, jpeg, path="/v3/analyze"),
        *_of_a_transparent_picture(service, good),
        _upload("upload of a picture of one pixel", good, picture("JPEG", side=1)),
        _upload("upload without a file extension", nameless, jpeg, filename="image"),
        _upload("upload that is no picture", undecodable, b"this is not a picture"),
        _upload("upload of nothing", undecodable, b""),
        _upload("upload of a truncated JPEG", expect_error(500, traits), jpeg[: len(jpeg) // 2]),
        _upload("upload over 8 MiB", oversize, jpeg + bytes(MAX_BYTES)),
    ]


def _refusals(traits: Traits) -> list[ContractProbe]:
    refused, jpeg = expect_error(400, traits), picture("JPEG")
    unreachable = expect_error(traits.unreachable_url, traits)
    both = {"url": _NOWHERE, "file": _NO_FILE}
    return [
        ContractProbe("neither url nor file", refused),
        ContractProbe("both url and file", refused, query=both),
        ContractProbe("upload in another field", refused, "POST", upload=("image", "image.jpg", jpeg)),
        ContractProbe("raw bytes as the body", refused, "POST", raw=jpeg),
        ContractProbe("path that does not exist", refused, query={"file": _NO_FILE}),
        ContractProbe("url that refuses connections", unreachable, query={"url": _NOWHERE}),
        ContractProbe("deprecated path without its parameter", refused, path="/v2/analyze"),
    ]


def _pages() -> list[ContractProbe]:
    return [
        ContractProbe("unknown path", expect_page(404), path="/no-such-path"),
        ContractProbe("trailing slash", expect_page(404), path="/analyze/"),
        ContractProbe("wrong method", expect_page(405), "DELETE"),
    ]


def _upload(
    name: str, expected: Expectation, data: bytes, *, path: str = "/analyze", filename: str = "image.jpg"
) -> ContractProbe:
    return ContractProbe(name, expected, "POST", path, upload=("file", filename, data))


def picture(kind: str, mode: str = "RGB", side: int = 96) -> bytes:
    """A small picture with a few shapes and colours in it."""
    image = Image.new(mode, (side, side), "steelblue")
    draw = ImageDraw.Draw(image)
    draw.ellipse((side // 4, side // 4, side // 2, side // 2), fill="gold")
    draw.rectangle((side // 2, side // 2, side - 1, side - 1), fill="darkred")
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()

"""A piece of a large file as it comes in."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.requests import ClientDisconnect

from gateway.uploads.headers import file_name
from gateway.uploads.receiving import receive_piece
from windmill.core.errors import WindmillError

PNG = b"\x89PNG\r\n\x1a\n" + bytes(200)


async def stream(*pieces: bytes, cut: bool = False) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
    if cut:
        raise ClientDisconnect


async def received(path: Path, *pieces: bytes, offset: int = 0, length: int = 1_000, cut: bool = False) -> int:
    with path.open("ab") as target:
        return await receive_piece(stream(*pieces, cut=cut), target, offset, length)


async def test_what_comes_before_a_cut_is_kept(tmp_path: Path) -> None:
    assert await received(tmp_path / "a", PNG[:50], PNG[50:90], cut=True) == 90
    assert await received(tmp_path / "a", PNG[90:], offset=90) == len(PNG)
    assert (tmp_path / "a").read_bytes() == PNG


async def test_more_than_was_promised_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WindmillError, match="PAYLOAD_TOO_LARGE"):
        await received(tmp_path / "a", PNG, length=100)


async def test_what_begins_as_nothing_known_is_refused_before_more_of_it_comes(tmp_path: Path) -> None:
    with pytest.raises(WindmillError, match="MEDIA_TYPE_UNSUPPORTED"):
        await received(tmp_path / "a", b"#!/bin/sh\n" * 50)
    assert (tmp_path / "a").read_bytes() == b""


@pytest.mark.parametrize(
    ("metadata", "name"),
    [("", ""), ("filename YS5tcDQ=", "a.mp4"), ("filetype dmlkZW8=,filename YS5tcDQ=", "a.mp4"), ("filename", "")],
)
def test_the_name_of_a_file_stands_among_others(metadata: str, name: str) -> None:
    assert file_name(metadata) == name


def test_a_name_that_is_not_base64_is_a_mistake() -> None:
    with pytest.raises(WindmillError, match="not Base64"):
        file_name("filename a")

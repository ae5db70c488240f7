"""A large file gets through whatever happens to its pieces."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from windmill.client import AsyncClient, Client
from windmill.client.resumable import RESUMABLE_FROM, TRIES, Rest, sending
from windmill.core.errors import WindmillError

PLACE, ASSET = "/uploads/1", "a" * 64
OFFLINE = WindmillError("SERVICE_UNREACHABLE", "it was cut")


@dataclass
class Keeper:
    """Keeps what comes; of the pieces with these numbers only a part comes, or all and the answer is lost."""

    cut: dict[int, int] = field(default_factory=dict)
    kept: bytearray = field(default_factory=bytearray)
    length: int = 0
    pieces: int = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["tus-resumable"] == "1.0.0"
        if request.method == "POST":
            self.length = int(request.headers["upload-length"])
            return httpx.Response(201, headers={"location": PLACE})
        if request.method == "PATCH":
            assert int(request.headers["upload-offset"]) == len(self.kept), "a piece that has come was sent again"
            self.pieces += 1
            taken = self.cut.pop(self.pieces, None)
            self.kept += request.content[:taken]
            if taken is not None:
                raise httpx.ReadError("it was cut")
        done = {"location": f"/assets/{ASSET}"} if len(self.kept) == self.length else {}
        return httpx.Response(204, headers={"upload-offset": str(len(self.kept)), **done})


def client(answer: Callable[[httpx.Request], httpx.Response]) -> Client:
    return Client("http://gateway/", None, httpx.MockTransport(answer))


def test_it_goes_on_where_it_was_cut_and_where_an_answer_was_lost(tmp_path: Path) -> None:
    data = bytes(range(256)) * 4
    (path := tmp_path / "a.mp4").write_bytes(data)
    keeper = Keeper({2: 17, 4: 300})
    with client(keeper) as windmill:
        assert windmill.send_pieces(path, 300) == ASSET
    assert keeper.kept == data
    assert keeper.pieces == 5


async def test_the_client_that_is_awaited_does_the_same(tmp_path: Path) -> None:
    (path := tmp_path / "a.mp4").write_bytes(b"0123456789")
    keeper = Keeper({1: 3})
    async with AsyncClient("http://gateway/", None, httpx.MockTransport(keeper)) as windmill:
        assert await windmill.send_pieces(path, 4) == ASSET
    assert keeper.kept == b"0123456789"


def test_a_large_file_is_sent_so_and_a_small_one_in_one_piece(tmp_path: Path) -> None:
    keeper = Keeper()
    with (path := tmp_path / "a.mp4").open("wb") as opened:
        opened.truncate(RESUMABLE_FROM + 1)
    with client(keeper) as windmill:
        assert windmill.send(path) == ASSET
    assert (keeper.pieces, len(keeper.kept)) == (3, RESUMABLE_FROM + 1)


def test_it_gives_up_when_nothing_gets_through_any_more(tmp_path: Path) -> None:
    (path := tmp_path / "a.mp4").write_bytes(b"0123")
    steps = sending(path)
    next(steps)
    step = steps.send(httpx.Response(201, headers={"location": PLACE}))
    rests: list[float] = []
    while len(rests) < TRIES - 1:
        rests += [step.seconds] if isinstance(step, Rest) else []
        step = steps.send(None if isinstance(step, Rest) else OFFLINE)
    assert rests == sorted(rests)
    steps.send(OFFLINE)
    with pytest.raises(WindmillError, match="it was cut"):
        steps.send(OFFLINE)


@pytest.mark.parametrize("code", ["MEDIA_TYPE_UNSUPPORTED", "PAYLOAD_TOO_LARGE", "NOT_FOUND"])
def test_what_is_refused_is_not_sent_again(code: str, tmp_path: Path) -> None:
    (path := tmp_path / "a.mp4").write_bytes(b"0123")
    steps = sending(path)
    next(steps)
    steps.send(httpx.Response(201, headers={"location": PLACE}))
    with pytest.raises(WindmillError, match=code):
        steps.send(WindmillError(code, "it is refused"))  # type: ignore[arg-type]

import os
from pathlib import Path

import pytest

from tests.conformance.engines.painter import PNG
from windmill.core.errors import WindmillError
from windmill.engines.engine import EngineRequest
from windmill.engines.outputs import gather, must_have_room, prepare


@pytest.fixture
def request_(tmp_path: Path) -> EngineRequest:
    request = EngineRequest("job-1", {}, {}, tmp_path)
    prepare(request)
    return request


def refusal(request: EngineRequest, folder: Path | None = None) -> str:
    with pytest.raises(WindmillError) as raised:
        gather(folder or request.out, request)
    assert raised.value.code == "BAD_RESPONSE"
    return raised.value.message


def test_files_come_in_the_order_in_which_people_count(request_: EngineRequest) -> None:
    for name in ("frame_10.png", "frame_9.png", "a/frame_1.png"):
        (request_.out / name).parent.mkdir(exist_ok=True)
        (request_.out / name).write_bytes(PNG)
    found = gather(request_.out, request_)
    assert [file.name for file in found] == ["a/frame_1.png", "frame_9.png", "frame_10.png"]
    assert {file.media_type for file in found} == {"image/png"}


def test_a_folder_elsewhere_is_refused_also_by_a_link(request_: EngineRequest, tmp_path: Path) -> None:
    (request_.out / "link").symlink_to("/etc")
    assert "not below" in refusal(request_, Path("/etc"))
    assert "not below" in refusal(request_, request_.out / "link")
    assert "neither a file nor a folder" in refusal(request_)


def test_a_pipe_is_no_output(request_: EngineRequest) -> None:
    os.mkfifo(request_.out / "frame.png")
    assert "neither" in refusal(request_)


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.png", b"", "is empty"),
        ("a.png", PNG[:-6], "is cut off"),
        ("a.png", b"<html>", "is not a PNG"),
        ("a.jpg", PNG, "is not a JPEG"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_refused(
    request_: EngineRequest, name: str, data: bytes, said: str
) -> None:
    (request_.out / name).write_bytes(data)
    assert refusal(request_) == f"{name} {said}"


def test_nothing_is_no_output(request_: EngineRequest) -> None:
    assert "no file" in refusal(request_)
    assert "does not exist" in refusal(request_, request_.out / "frames")


def test_a_full_disk_has_its_own_code(tmp_path: Path) -> None:
    must_have_room(tmp_path)
    with pytest.raises(WindmillError) as raised:
        must_have_room(tmp_path, least=2**62)
    assert raised.value.code == "INSUFFICIENT_DISK_SPACE"

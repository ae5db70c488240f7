"""An engine behind HTTP, against a server that answers as a test says."""

import base64
import io
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from tests.conformance.engines.painter import PNG
from tests.conformance.engines.rigs import request_in, zip_of
from tests.unit.engines.http_engine_scene import names, says, sends, server


async def test_the_form_is_that_of_the_first_system(tmp_path: Path) -> None:
    async with server(sends(PNG, "image/png")) as it:
        await it.run(request_in(tmp_path, style="ink", seed=0))
        [asked] = it.asked
        assert (asked.method, asked.path) == ("POST", "/infer")
        assert asked.headers["Authorization"] == "Bearer abcdefgh"
        assert it.forms == [
            {"input_file": ("input_file.png", "image/png", PNG), "prompt": "a mill", "style": "ink", "seed": "0"}
        ]


async def test_a_raw_body_is_the_input_and_the_query_the_rest(tmp_path: Path) -> None:
    bodies: list[bytes] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        bodies.append(await request.read())
        return web.Response(body=PNG, content_type="image/png")

    async with server(answer) as it:
        await it.run(request_in(tmp_path), body="raw", path="/v1/go")
        assert bodies == [PNG]
        assert it.asked[0].path == "/v1/go"
        assert dict(it.asked[0].query) == {"prompt": "a mill", "style": "default", "seed": "0"}


async def test_a_json_body_holds_the_input_in_base64_and_a_document_is_a_result(tmp_path: Path) -> None:
    bodies: list[Any] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        bodies.append(orjson.loads(await request.read()))
        return web.json_response({"predictions": [{"label": "mill"}]})

    async with server(answer) as it:
        output = await it.run(request_in(tmp_path), body="json")
        assert base64.b64decode(bodies[0]["image"]) == PNG
        assert names(output) == ["answer.json"]
        assert orjson.loads(output.files[0].path.read_bytes()) == {"predictions": [{"label": "mill"}]}


async def test_bytes_are_a_file_and_archives_are_unpacked(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        info = tarfile.TarInfo("frame.png")
        info.size = len(PNG)
        archive.addfile(info, io.BytesIO(PNG))
    bodies = {
        ("output.png",): sends(PNG, "image/png"),
        ("a.png", "b.png"): sends(zip_of({"b.png": PNG, "a.png": PNG}), "application/octet-stream"),
        ("frame.png",): sends(packed.getvalue(), "application/gzip"),
    }
    for expected, answer in bodies.items():
        async with server(answer) as it:
            assert names(await it.run(request_in(tmp_path))) == list(expected)


async def test_pictures_in_base64_are_files(tmp_path: Path) -> None:
    text = base64.b64encode(PNG).decode()
    async with server(says({"images": [text, f"data:image/png;base64,{text}"]})) as it:
        output = await it.run(request_in(tmp_path))
        assert names(output) == ["output_0000.png", "output_0001.png"]
        assert {file.path.read_bytes() for file in output.files} == {PNG}


async def test_a_path_on_shared_storage_is_copied_before_it_is_gone(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    (shared / "7" / "frames").mkdir(parents=True)
    (shared / "7" / "frames" / "frame_0001.png").write_bytes(PNG)
    async with server(says({"success": True, "frames_path": str(shared / "7")})) as it:
        output = await it.run(request_in(tmp_path), shared_folder=str(shared))
        (shared / "7" / "frames" / "frame_0001.png").unlink()
        assert output.files[0].path.read_bytes() == PNG
        assert names(output) == ["frames/frame_0001.png"]


async def test_a_path_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "link").symlink_to("/etc")
    for path in ("/etc", "../../etc", str(tmp_path / "shared" / "link"), str(tmp_path / "shared" / "nothing")):
        async with server(says({"frames_path": path})) as it:
            assert (
                await it.failure(request_in(tmp_path), shared_folder=str(tmp_path / "shared"))
            ).code == "BAD_RESPONSE"
            without = await it.failure(request_in(tmp_path))
            assert "shared_folder" in without.remedy


async def test_a_url_of_the_server_itself_is_fetched(tmp_path: Path) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.method == "GET":
            return web.Response(body=PNG, content_type="image/png")
        return web.json_response({"urls": ["/files/a.png", "/other/a.png"]})

    async with server(answer) as it:
        assert names(await it.run(request_in(tmp_path))) == ["1_a.png", "a.png"]
        assert it.asked[1].headers["Authorization"] == "Bearer abcdefgh"


async def test_a_url_elsewhere_is_fetched_if_the_entry_names_its_host_and_gets_no_key(tmp_path: Path) -> None:
    async with server(sends(PNG, "image/png")) as other:
        host = other.url.removeprefix("http://")
        async with server(says({"url": f"{other.url}/a.png"})) as it:
            refused = await it.failure(request_in(tmp_path))
            assert refused.code == "BAD_RESPONSE"
            assert "download_from" in refused.remedy
            assert other.asked == []
            assert names(await it.run(request_in(tmp_path), download_from=(host,))) == ["a.png"]
            assert "Authorization" not in other.asked[0].headers


async def test_a_base64_body_holds_nothing_but_the_picture_and_what_was_given(tmp_path: Path) -> None:
    bodies: list[Any] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        bodies.append(orjson.loads(await request.read()))
        return web.json_response({"predictions": [{"label": "mill"}], "image": "what it was asked"})

    async with server(answer) as it:
        request = replace(request_in(tmp_path), parameters={"task": "detect", "top": 5, "style": None})
        output = await it.run(request, body="base64")
        assert bodies == [{"image": base64.b64encode(PNG).decode(), "top": 5}]
        assert names(output) == ["answer.json"]


async def test_an_answer_to_a_base64_body_without_predictions_is_none(tmp_path: Path) -> None:
    for document, code in (({"labels": []}, "BAD_RESPONSE"), ({"success": False, "error": "no"}, "SERVICE_ERROR")):
        async with server(says(document)) as it:
            assert (await it.failure(request_in(tmp_path), body="base64")).code == code

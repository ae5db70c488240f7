"""What the doctor makes of services, post-processing and this machine."""

from pathlib import Path

import pytest

from tests.unit.operate.examined import NOW, SETTINGS
from windmill.core.errors import WindmillError
from windmill.core.messages import Job
from windmill.core.services import load_fleet
from windmill.operate.doctor import disk_space, images, machine
from windmill.operate.doctor.database.judge_stages import judge_stages
from windmill.operate.doctor.services import judge as judge_services
from windmill.operate.doctor.services.judge import ProbeReply
from windmill.operate.render import render_bytes

YOLO = load_fleet(SETTINGS.service_config).services["yolov8"]
URL = "http://localhost:7773/analyze"


def reply(service: object, status: int = 400, server: str = "Werkzeug", extra: str = "") -> ProbeReply:
    named = f'"service": "{service}", ' if service else ""
    return ProbeReply(status, server, f'{{{named}"status": "error"{extra}}}'.encode())


@pytest.mark.parametrize(
    ("heard", "state", "says"),
    [
        (reply("yolov8"), "ok", "answers as yolov8"),
        (reply("yolo"), "ok", "answers as yolo"),
        (reply("clip"), "problem", "clip answers at http://localhost:7773/analyze: ports were exchanged"),
        (reply("blip2", 200), "problem", "ports were exchanged"),
        (reply("strange"), "warning", "answers as 'strange'"),
        (reply(None), "warning", "without saying its name"),
        (reply("yolo", 200), "problem", "answered 200"),
        (reply("yolo", 500), "problem", "answered 500"),
        (reply("yolo", 503), "warning", "too much to do"),
        (ProbeReply(404, "nginx", b"<html>"), "problem", "answered 404"),
        (ProbeReply(400, "nginx", b"<html>"), "problem", "no service of the fleet"),
        (ProbeReply(400, "", b"\xff\xfe"), "problem", "no service of the fleet"),
        (ProbeReply(400, "", b"[" * 60_000), "problem", "no service of the fleet"),
    ],
)
def test_a_service_is_known_by_its_refusal(heard: ProbeReply, state: str, says: str) -> None:
    [finding] = judge_services.judge_reply(YOLO, URL, heard)
    assert (finding.name, finding.state) == ("yolov8", state)
    assert says in finding.found


@pytest.mark.parametrize(
    "heard",
    [
        reply("yolo", server="windmill-farm"),
        reply("yolo", extra=', "metadata": {"model_info": {"framework": "windmill-farm"}}'),
    ],
)
def test_a_stand_in_is_noticed(heard: ProbeReply) -> None:
    known, stand_in = judge_services.judge_reply(YOLO, URL, heard)
    assert (known.state, stand_in.state) == ("ok", "warning")
    assert "a stand-in answers" in stand_in.found


def test_a_port_where_nothing_listens_is_told_from_one_that_hangs() -> None:
    assert "nothing listens" in judge_services.judge_silence(YOLO, "h:1", ConnectionRefusedError()).found
    assert "no answer at h:1" in judge_services.judge_silence(YOLO, "h:1", TimeoutError("timed out")).found


def test_image_root_must_be_a_folder_with_something_in_it(tmp_path: Path) -> None:
    assert images.root(tmp_path / "gone").state == "problem"
    assert "is the share mounted" in images.root(tmp_path).found
    (tmp_path / "1.jpg").touch()
    assert images.root(tmp_path).state == "ok"
    assert "looks deleted" not in images.root(tmp_path).found
    assert "look deleted" in images.root(Path("/")).found


def test_a_sample_is_a_problem_only_when_nothing_of_it_can_be_read() -> None:
    job = Job(7, "7.jpg", "/7.jpg", None, NOW)
    failure = (job, WindmillError("IMAGE_NOT_FOUND", "there is no file /7.jpg"))
    assert [images.sample(looked, [failure] * bad).state for looked, bad in [(0, 0), (2, 0), (2, 1), (2, 2)]] == [
        "ok",
        "ok",
        "warning",
        "problem",
    ]
    assert "IMAGE_NOT_FOUND 1); image 7: there is no file /7.jpg" in images.sample(2, [failure]).found


@pytest.mark.parametrize(("free", "state"), [(2**26, "problem"), (2**30, "warning"), (2**33, "ok")])
def test_a_disk_is_judged_by_what_is_free(free: int, state: str) -> None:
    assert disk_space.judge_free_space("machine", "disk", free, "/var").state == state


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (1536, "1.5 KiB"), (2**30, "1.0 GiB"), (2**41, "2.0 TiB")])
def test_bytes_are_shown_in_their_largest_unit(count: int, text: str) -> None:
    assert render_bytes(count) == text


def test_the_machine_is_judged_by_its_python_files_memory_and_clock() -> None:
    assert [machine.python(version).state for version in [(3, 10), (3, 11), (4, 0)]] == ["problem", "ok", "ok"]
    assert [machine.open_files(soft).state for soft in [256, 1024, -1]] == ["warning", "ok", "ok"]
    assert [one.state for one in machine.available_memory("MemAvailable:  1000 kB\n")] == ["warning"]
    assert [[one.state for one in machine.clock(told)] for told in ["yes", "no", ""]] == [["ok"], ["warning"], []]


def stage(name: str, *services: str, marks: int = 0, overdue: float | None = None) -> dict[str, object]:
    return {"stage": name, "services": list(services), "marks": marks, "overdue_seconds": overdue}


DETECTORS = ("detectron2", "rtdetr", "yolov8")


@pytest.mark.parametrize(
    ("rows", "state", "said"),
    [
        ([], "ok", "nobody runs any"),
        ([stage("merge", *DETECTORS, marks=7, overdue=599.0)], "ok", "merge: nothing waits for long"),
        ([stage("merge", *DETECTORS, marks=7, overdue=660.0)], "warning", "7 open marks of the stage merge"),
        ([stage("merge", "rtdetr", "yolov8")], "warning", "disagree on what feeds the stage merge: detectron2"),
        ([stage("merge", *DETECTORS, "depth")], "warning", "disagree on what feeds the stage merge: depth"),
    ],
)
def test_post_processing_is_judged_by_its_services_and_by_how_late_it_is(
    rows: list[dict[str, object]], state: str, said: str
) -> None:
    (found,) = judge_stages(rows, load_fleet(SETTINGS.service_config))
    assert (found.state, said in found.found) == (state, True), found


@pytest.mark.parametrize(("found", "level"), [([{"label": "face"}], "ok"), ([], "problem")])
def test_a_service_has_to_find_what_its_canary_shows(found: list[object], level: str) -> None:
    face = load_fleet(SETTINGS.service_config).services["face"]
    finding = judge_services.judge_canary(face, "face", found)
    assert (finding.state, finding.name) == (level, "face canary")


def test_a_service_whose_slots_are_taken_is_not_asked() -> None:
    assert "no slot" in judge_services.judge_no_slot(YOLO).found

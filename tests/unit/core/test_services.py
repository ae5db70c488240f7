"""The fleet as data: the file that is shipped, and every mistake in one's own."""

import json
from pathlib import Path
from typing import Any

import pytest

from dev.farm.contract import traits_of
from windmill.core.errors import ConfigInvalid, WindmillError
from windmill.core.services import Fleet, load_fleet, parse_fleet
from windmill.core.settings import ROOT

SHIPPED = ROOT / "service_config.json"
PORTS = {
    "blip": 7777,
    "clip": 7778,
    "colors": 7770,
    "detectron2": 7771,
    "face": 7772,
    "inception_v3": 7779,
    "metadata": 7781,
    "ocr": 7775,
    "nsfw2": 7774,
    "ollama": 7782,
    "pose": 7786,
    "rtdetr": 7780,
    "yolov8": 7773,
}
DEFAULTS = {
    "path": "/analyze",
    "category": "primary",
    "transport": "upload",
    "concurrency": 2,
    "timeout_seconds": 30,
    "max_upload_bytes": 8388608,
    "sets": [],
    "feeds": [],
}


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    return load_fleet(SHIPPED)


def document(**services: object) -> dict[str, Any]:
    return {"sets": {"mine": "of my own"}, "defaults": DEFAULTS, "services": services}


def problems(given: object) -> list[str]:
    with pytest.raises(ConfigInvalid) as refused:
        parse_fleet(given)
    return [str(problem) for problem in refused.value.problems]


def test_the_thirteen_services_stand_at_their_ports(fleet: Fleet) -> None:
    assert {name: fleet.services[name].port for name in PORTS} == PORTS


def test_face_and_pose_are_for_crops_and_the_other_eleven_for_whole_images(fleet: Fleet) -> None:
    assert [name for name in fleet.sets["spatial_only"] if name in PORTS] == ["face", "pose"]
    assert len(PORTS.keys() & set(fleet.sets["primary"])) == 11
    assert fleet.sets["all"] == list(fleet.services)


def test_the_detectors_are_those_whose_boxes_are_merged(fleet: Fleet) -> None:
    assert set(fleet.sets["detectors"]) == {"yolov8", "rtdetr", "detectron2"}
    assert {name for name, service in fleet.services.items() if "merge" in service.feeds} == set(
        fleet.sets["detectors"]
    )


def test_face_and_pose_look_at_the_boxes_of_persons_and_colors_at_every_box(fleet: Fleet) -> None:
    looks = {name: service.enriches for name, service in fleet.services.items() if service.enriches}
    assert looks == {"face": "persons", "pose": "persons", "colors": "boxes"}


def test_pose_gets_one_request_at_a_time(fleet: Fleet) -> None:
    assert fleet.services["pose"].concurrency == 1


def test_every_service_is_called_at_analyze_by_upload(fleet: Fleet) -> None:
    assert {(service.path, service.transport) for service in fleet.services.values()} == {("/analyze", "upload")}


def test_an_address_is_the_services_own_unless_the_settings_say_otherwise(fleet: Fleet) -> None:
    yolov8 = fleet.services["yolov8"]
    assert yolov8.url() == "http://localhost:7773/analyze"
    assert yolov8.url("gpu-box", 100) == "http://gpu-box:7873/analyze"


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ("yolov8", ["yolov8"]),
        ("yolov8,blip", ["blip", "yolov8"]),
        (" yolov8 , ,detectors,yolov8", ["detectron2", "rtdetr", "yolov8"]),
        ("detectors,people", ["detectron2", "face", "pose", "rtdetr", "yolov8"]),
    ],
)
def test_a_selection_names_each_service_once_in_the_order_of_the_file(
    fleet: Fleet, wanted: str, names: list[str]
) -> None:
    assert [service.name for service in fleet.select(wanted)] == names
    assert [service.name for service in fleet.select(wanted.split(","))] == names


def test_all_with_one_more_is_still_all(fleet: Fleet) -> None:
    assert fleet.select("all,yolov8") == list(fleet.services.values())


@pytest.mark.parametrize(
    ("wrong", "nearest"), [("yolo8", "yolov8"), ("detector", "detectors"), ("OCR ".lower() + "r", "ocr"), ("al", "all")]
)
def test_an_unknown_service_is_told_with_the_nearest_one_and_all_that_are_known(
    fleet: Fleet, wrong: str, nearest: str
) -> None:
    with pytest.raises(WindmillError, match=f"unknown service or set '{wrong.strip()}'") as refused:
        fleet.select(f"clip,{wrong}")
    assert f"did you mean '{nearest}'?" in refused.value.remedy
    assert all(name in refused.value.remedy for name in (*PORTS, "detectors"))
    assert refused.value.code == "NOT_FOUND"


def test_a_name_that_is_near_to_nothing_gets_no_guess(fleet: Fleet) -> None:
    with pytest.raises(WindmillError) as refused:
        fleet.select("zzzzzz")
    assert "did you mean" not in refused.value.remedy
    assert "a new one: add it to SERVICE_CONFIG" in refused.value.remedy


@pytest.mark.parametrize("nothing", ["", " , ", [], [" "]])
def test_naming_no_service_is_a_mistake_and_not_all_services(fleet: Fleet, nothing: str | list[str]) -> None:
    with pytest.raises(WindmillError, match="no service named"):
        fleet.select(nothing)


def test_a_further_service_is_one_line_and_joins_all(fleet: Fleet, tmp_path: Path) -> None:
    line = '    "qr": {"port": 17776},\n'
    text = SHIPPED.read_text(encoding="utf-8").replace('    "rtdetr"', line + '    "rtdetr"')
    (tmp_path / "mine.json").write_text(text)
    mine = load_fleet(tmp_path / "mine.json")
    assert "qr" in mine.sets["all"]
    assert "qr" in mine.sets["primary"]
    assert len(mine.select("all")) == len(fleet.select("all")) + 1
    assert mine.services["qr"].url() == "http://localhost:17776/analyze"


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"port": 1, "prot": 2}, "prot='2': is not a known key; did you mean 'port'? known: port"),
        ({"port": 1, "zzzz": 2}, "zzzz='2': is not a known key; known: port"),
        ({}, "one.port='': is missing"),
        ({"port": "7777"}, "one.port='7777': must be a whole number from 1 to 65535"),
        ({"port": True}, "one.port='True': must be a whole number"),
        ({"port": 0}, "must be a whole number from 1"),
        ({"port": 65536}, "must be a whole number from 1 to 65535"),
        ({"port": 1, "path": "analyze"}, "one.path='analyze': must be a path"),
        ({"port": 1, "path": None}, "must be a path"),
        ({"port": 1, "category": "secondary"}, "must be one of primary, spatial_only"),
        ({"port": 1, "category": ["primary"]}, "must be one of primary, spatial_only"),
        ({"port": 1, "transport": "ftp"}, "must be one of upload, url"),
        ({"port": 1, "concurrency": 0}, "concurrency='0': must be a whole number from 1 to 1000"),
        ({"port": 1, "timeout_seconds": 0}, "must be seconds above 0"),
        ({"port": 1, "timeout_seconds": float("nan")}, "must be seconds above 0"),
        ({"port": 1, "timeout_seconds": "30"}, "must be seconds above 0"),
        ({"port": 1, "max_upload_bytes": 10}, "must be a whole number from 1024 to 1099511627776"),
        ({"port": 1, "sets": "mine"}, "sets='mine': must be a list of set names"),
        ({"port": 1, "sets": ["mine", "theirs"]}, "one.sets[1]='theirs': is not described under sets"),
        (
            {"port": 1, "feeds": "merge"},
            "one.feeds='merge': must be a list of stages out of merge, enrich, consensus, hash, index",
        ),
        (
            {"port": 1, "feeds": ["merged"]},
            "one.feeds[0]='merged': must be one of merge, enrich, consensus, hash, index",
        ),
        ({"port": 1, "feeds": [["merge"]]}, "must be one of merge, enrich"),
        ({"port": 1, "host": " "}, "must be a host name or address"),
        ({"port": 1, "enriches": "everything"}, "enriches='everything': must be one of persons, boxes"),
        ({"port": 1, "enriches": ["boxes"]}, "must be one of persons, boxes"),
        ({"port": 1, "enriches": None}, "must be one of persons, boxes"),
        ({"port": 1, "answers_as": "yolo"}, "answers_as='yolo': must be a list of names that it uses in its replies"),
        ({"port": 1, "answers_as": [1]}, "one.answers_as[0]='1': must be text"),
        ({"port": 1, "answers_as": [" "]}, "one.answers_as[0]=' ': must be text"),
        ({"port": 1, "foreign": ["two"]}, "foreign=\"['two']\": is not a known key"),
        (7777, "one='7777': must be an object"),
        (None, "must be an object"),
    ],
)
def test_every_mistake_in_an_entry_is_told_with_its_place(entry: object, said: str) -> None:
    (problem,) = problems(document(one=entry))
    assert problem.startswith("service_config.json: one")
    assert said in problem


@pytest.mark.parametrize("name", ["Yolo", "yolo v8", "8yolo", "", "a" * 64, "a.b"])
def test_a_service_name_must_be_fit_to_name_a_queue(name: str) -> None:
    (problem,) = problems(document(**{name: {"port": 1}}))
    assert "lower-case letters, digits and _" in problem


@pytest.mark.parametrize("name", ["all", "primary", "spatial_only", "mine"])
def test_a_service_cannot_have_the_name_of_a_set(name: str) -> None:
    assert "is the name of a set already" in problems(document(**{name: {"port": 1}}))[0]


def test_two_services_cannot_share_a_port_of_one_host() -> None:
    (problem,) = problems(document(one={"port": 7777}, two={"port": 7777}))
    assert "two.port='7777': is taken by one on the same host" in problem
    assert parse_fleet(document(one={"port": 7777}, two={"port": 7777, "host": "other"}))


def test_each_service_knows_by_which_names_the_others_answer() -> None:
    one, two, three = parse_fleet(
        document(
            one={"port": 1, "answers_as": ["uno", "ein"]}, two={"port": 2, "answers_as": ["two"]}, three={"port": 3}
        )
    ).services.values()
    assert one.answers_as == ("uno", "ein")
    assert one.foreign == {"two", "three"}
    assert two.foreign == {"one", "uno", "ein", "three"}
    assert three.foreign == {"one", "uno", "ein", "two"}


@pytest.mark.parametrize(
    ("one", "two", "where"),
    [
        (["same"], ["same"], "two.answers_as='same': is a name of one"),
        ([], ["one"], "two.answers_as='one': is a name of one"),
        (["two"], [], "one.answers_as='two': is a name of two"),
    ],
)
def test_two_services_cannot_answer_under_one_name(one: list[str], two: list[str], where: str) -> None:
    (problem,) = problems(document(one={"port": 1, "answers_as": one}, two={"port": 2, "answers_as": two}))
    assert problem.startswith(f"service_config.json: {where}")


def test_the_names_that_services_are_known_to_answer_by_are_their_own_and_no_others(fleet: Fleet) -> None:
    known = {"yolov8": "yolo", "inception_v3": "inception", "blip": "blip2", "ollama": "llama.cpp"}
    for name, service in fleet.services.items():
        strangers = {other: service.foreign & {other, known.get(other)} for other in fleet.services}
        assert strangers.pop(name) == set()
        assert all(other in names and known.get(other, other) in names for other, names in strangers.items())


def test_the_stand_ins_answer_by_names_that_the_fleet_knows(fleet: Fleet) -> None:
    for name, service in fleet.services.items():
        assert traits_of(name).reply_name in (name, *service.answers_as)


def test_all_problems_of_a_file_are_told_at_once() -> None:
    given = document(one={"port": 0}, two={"prot": 1}) | {"service": {}}
    assert len(problems(given)) == 4


@pytest.mark.parametrize(
    "given", [None, [], "services", {}, {"services": []}, {"services": None}, {"service": {"one": {"port": 1}}}]
)
def test_a_document_without_services_is_refused(given: object) -> None:
    (problem,) = problems(given)
    assert 'must be an object with a "services" object' in problem


@pytest.mark.parametrize("key", ["sets", "defaults"])
def test_sets_and_defaults_must_be_objects(key: str) -> None:
    assert any("must be an object" in problem for problem in problems(document(one={"port": 1}) | {key: [1]}))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "is not valid JSON"),
        (b"", "is not valid JSON"),
        (b'{"services": {"a": {"port": 1, "port": 2}}}', "the key 'port' appears twice"),
        (b'{"services": {"a": {"port": 1}, "a": {"port": 2}}}', "the key 'a' appears twice"),
        (b"\xff\xfe", "cannot be read"),
    ],
)
def test_a_file_that_is_not_json_is_refused_with_its_path(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "mine.json"
    path.write_bytes(content)
    with pytest.raises(ConfigInvalid, match="SERVICE_CONFIG") as refused:
        load_fleet(path)
    assert said in str(refused.value)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_a_file_that_cannot_be_read_is_refused_with_its_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigInvalid, match="cannot be read"):
        load_fleet(tmp_path / name)


def test_defaults_hold_for_what_an_entry_leaves_out() -> None:
    service = parse_fleet(json.loads(json.dumps(document(one={"port": 1, "sets": ["mine"]})))).services["one"]
    assert (service.concurrency, service.timeout_seconds, service.path) == (2, 30, "/analyze")
    assert service.sets == ("mine",)

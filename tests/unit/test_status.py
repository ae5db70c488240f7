"""The status of the fleet as it is shown."""

import orjson

from windmill.__main__ import parser
from windmill.status import FleetStatus, ServiceStatus, as_json, as_table

CLIP = ServiceStatus("clip", 1200, 3, 40, 2, p50=0.25, failures={"SERVICE_ERROR": 2, "BAD_RESPONSE": 1})
STATUS = FleetStatus(1300, [CLIP, ServiceStatus("pose", queued=2, parked=0)], retrying=5)


def test_the_table_shows_each_service_then_all_together() -> None:
    assert as_table(STATUS).splitlines()[1:] == [
        "clip     1,200       3      40       2  0.250  SERVICE_ERROR:2 BAD_RESPONSE:1",
        "pose         0       0       2       0      -",
        "all      1,200       3      42       2      -",
        "1,300 images registered, 5 jobs wait to be tried again",
    ]


def test_the_table_shows_a_dash_for_what_cannot_be_known() -> None:
    unseen = FleetStatus(1, [ServiceStatus("pose")], broker="BROKER_UNAVAILABLE: it is away")
    assert as_table(unseen).splitlines()[1:] == [
        "pose        0       0       -       -      -",
        "all         0       0       -       -      -",
        "1 images registered",
    ]


def test_the_json_has_every_number_under_its_name() -> None:
    document = orjson.loads(orjson.dumps(as_json(STATUS)))
    assert (document["images"], document["retrying"], document["broker"]) == (1300, 5, None)
    assert document["services"][0] == {
        "service": "clip",
        "done": 1200,
        "failed": 3,
        "queued": 40,
        "parked": 2,
        "p50": 0.25,
        "failures": {"SERVICE_ERROR": 2, "BAD_RESPONSE": 1},
    }


def test_status_asks_for_all_services_unless_told_otherwise() -> None:
    assert parser().parse_args(["status"]).services == "all"
    assert parser().parse_args(["status", "--services", "clip", "--json"]).json

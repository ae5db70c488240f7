"""The status of the fleet as it is shown."""

import orjson

from windmill.__main__ import parser
from windmill.status import ServiceStatus, as_json, as_table

ROWS = [
    ServiceStatus("clip", done=1200, failed=3, queued=None, p50=0.25, failures={"SERVICE_ERROR": 2, "BAD_RESPONSE": 1}),
    ServiceStatus("pose"),
]


def test_the_table_shows_a_dash_for_what_cannot_be_known() -> None:
    assert as_table(ROWS).splitlines()[1:] == [
        "clip     1,200       3       -  0.250  SERVICE_ERROR:2 BAD_RESPONSE:1",
        "pose         0       0       -      -",
    ]


def test_the_json_has_every_number_under_its_name() -> None:
    assert orjson.loads(orjson.dumps(as_json(ROWS)))[0] == {
        "service": "clip",
        "done": 1200,
        "failed": 3,
        "queued": None,
        "p50": 0.25,
        "failures": {"SERVICE_ERROR": 2, "BAD_RESPONSE": 1},
    }


def test_status_asks_for_all_services_unless_told_otherwise() -> None:
    assert parser().parse_args(["status"]).services == "all"
    assert parser().parse_args(["status", "--services", "clip", "--json"]).json

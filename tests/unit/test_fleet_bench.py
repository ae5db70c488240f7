"""The benchmark of the whole fleet: what it counts, and how it repeats what services said."""

from bench.fleet_report import Report, last_line, percentile, render
from bench.fleet_rounds import RoundResult
from bench.fleet_side import difference, mean
from bench.scripted_services import header, image_in

JPEG = b"\xff\xd8 picture \xff\xd9"


def body(image: bytes) -> bytes:
    return b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n' + image + b"\r\n--b--\r\n"


def report(milliseconds: float, kilobytes: float) -> Report:
    spent = {"worker": milliseconds / 2000, "PostgreSQL": milliseconds / 2000, "PostgreSQL for worker": 1.0}
    idle = {"boxes": 0.002, "PostgreSQL for boxes": 0.001, "RabbitMQ": 1.0}
    taken = {"last answer to boxes": [0.1, 0.2, 0.3]}
    sizes = {("results", "results"): 900.0 * kilobytes, ("results", "results_pkey"): 100.0 * kilobytes}
    return Report([RoundResult(idle, spent, taken, 2.0, 2.5, 10.0)], {"compact": sizes, "as it stood": sizes})


def test_copies_of_a_scene_are_the_same_image() -> None:
    assert image_in(body(JPEG + b" 000000001")) == image_in(body(JPEG + b" 000000002")) == JPEG[:-2]


def test_other_images_are_not() -> None:
    assert image_in(body(JPEG)) != image_in(body(b"other" + JPEG))
    assert image_in(body(b"no JPEG")) != image_in(body(b"no JPEG either"))


def test_a_header_is_found_whatever_its_case() -> None:
    assert header(b"POST / HTTP/1.1\r\nHost: x\r\nCONTENT-Length: 17", "content-length") == "17"
    assert header(b"GET / HTTP/1.1\r\nHost: x", "content-length") == ""


def test_sessions_are_a_part_of_the_server_and_count_once() -> None:
    assert round(report(50.0, 20.0).cpu_ms, 6) == 50.0


def test_idle_is_what_post_processors_burn_and_cause() -> None:
    assert round(report(50.0, 20.0).idle_ms, 6) == 3.0


def test_the_last_line_compares_with_the_other_tree() -> None:
    found = {"now": report(50.0, 20.0), "before": report(100.0, 40.0)}
    assert last_line(found) == "fleet: 50.0 CPU-ms/image, 3.0 ms/s idle, 20.0 kB/image = 0.50 x before"
    assert last_line({"now": found["now"]}) == "fleet: 50.0 CPU-ms/image, 3.0 ms/s idle, 20.0 kB/image"
    assert render(found).splitlines()[-1] == last_line(found)


def test_a_table_is_the_sum_of_its_relations() -> None:
    shown = render({"now": report(50.0, 20.0)}).split("bytes an image as it stood")[1]
    assert shown.splitlines()[1].split() == ["results", "20,000.00"]


def test_percentiles_are_values_that_occurred() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([1.0], 0.99) == 1.0


def test_what_began_later_counts_from_nothing() -> None:
    assert difference({"a": 3.0, "b": 1.0}, {"a": 1.0}) == {"a": 2.0, "b": 1.0}
    assert mean([{"a": 2.0}, {"a": 4.0, "b": 1.0}]) == {"a": 3.0, "b": 0.5}

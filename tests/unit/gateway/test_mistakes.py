"""What is wrong with the values of a request, each with its place."""

from typing import Any

import pytest
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import TypeAdapter, ValidationError

from gateway.images.shapes import NewImagesBody
from gateway.jobs.routes import router
from gateway.jobs.shapes import AnyJobBody, JobQuery
from gateway.known_fields import fields_of
from gateway.mistakes import FieldMistake, mistakes_of, summary_of
from gateway.runs.shapes import NewRunBody


def wrong(kind: str, *place: str | int) -> dict[str, object]:
    return {"type": kind, "loc": place, "msg": "in the words of Python"}


def known(where: str, steps: object) -> set[str]:
    return {"preset", "inputs"} if (where, steps) == ("body", []) else {"name"}


def told(*errors: dict[str, object]) -> dict[str, str]:
    return {one.pointer: one.detail for one in mistakes_of(RequestValidationError(list(errors)), known)}


def test_an_unknown_field_is_asked_whether_it_is_one_that_may_stand_there() -> None:
    said = told(
        wrong("missing", "body", "preset"),
        wrong("extra_forbidden", "body", "perset"),
        wrong("extra_forbidden", "body", "form:job", "imputs"),
        wrong("extra_forbidden", "body", "colour"),
        wrong("extra_forbidden", "body", "steps", 1, "nane"),
    )
    assert said == {
        "/preset": "is missing",
        "/perset": "there is no such field; did you mean 'preset'?",
        "/imputs": "there is no such field; did you mean 'inputs'?",
        "/colour": "there is no such field",
        "/steps/1/nane": "there is no such field; did you mean 'name'?",
    }


def test_a_place_in_the_body_is_a_pointer_and_elsewhere_a_name() -> None:
    errors = [wrong("missing", "body", "a/b", "c~d"), wrong("extra_forbidden", "query", "colour")]
    found = mistakes_of(RequestValidationError(errors))
    assert found == [
        FieldMistake(where="body", pointer="/a~1b/c~0d", detail="is missing"),
        FieldMistake(where="query", pointer="colour", detail="there is no such field"),
    ]
    assert summary_of(found) == "/a~1b/c~0d: is missing (and 1 more, see errors)"
    assert summary_of(found[1:]) == "colour: there is no such field"


def checked(shape: Any, given: object, where: str = "body", route: object = None) -> dict[str, str]:  # noqa: ANN401
    """What is said of a value that is not of the shape."""
    with pytest.raises(ValidationError) as failed:
        TypeAdapter(shape).validate_python(given)
    errors = [{**one, "loc": (where, *one["loc"])} for one in failed.value.errors()]
    return {one.pointer: one.detail for one in mistakes_of(RequestValidationError(errors), fields_of(route))}


def route_of(path: str, method: str) -> APIRoute:
    routes = [one for one in router.routes if isinstance(one, APIRoute) and one.path == path]
    return next(one for one in routes if method in (one.methods or ()))


def test_what_may_stand_in_a_field_is_said_in_words_of_people() -> None:
    job = {"preset": 7, "engines": "default", "priority": 1.5, "consent_given": "x", "deadline": "soon", "inputs": []}
    assert checked(AnyJobBody, {**job, "on_duplicate": "x", "failure_budget": -1}) == {
        "/preset": "must be a text",
        "/engines": "must be a list",
        "/priority": "must be a whole number",
        "/consent_given": "must be true or false",
        "/deadline": "must be a time such as 2026-11-27T08:30:00Z",
        "/inputs": "must be an object",
        "/on_duplicate": "must be 'return', 'reject' or 'rerun_if_failed'",
        "/failure_budget": "must be at least 0",
    }
    assert checked(NewRunBody, {"services": [], "group": ""}) == {
        "/services": "must have at least this many entries: 1",
        "/group": "must have at least this many characters: 1",
    }
    assert checked(NewImagesBody, {}) == {"": "give either urls or a folder"}
    said = "Expected UploadFile, received: <class 'str'>"
    sent: dict[str, object] = {"type": "value_error", "loc": ("body", "file"), "msg": said, "ctx": {}}
    assert told(sent) == {"/file": "must be a file"}


def test_a_misspelt_field_or_parameter_of_a_route_is_asked_about() -> None:
    made = route_of("/jobs", "POST")
    body = {"preset": "x", "engine": ["default"], "webhook": {"url": "https://example.com/", "event": []}}
    assert checked(AnyJobBody, body, route=made) == {
        "/engine": "there is no such field; did you mean 'engines'?",
        "/webhook/event": "there is no such field; did you mean 'events'?",
    }
    listed = checked(JobQuery, {"state": "failed", "x": "1"}, "query", route_of("/jobs", "GET"))
    assert listed == {
        "state": "there is no such field; did you mean 'status'?",
        "x": "there is no such field",
    }

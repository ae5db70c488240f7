"""Every route says whom it admits."""

import pytest
from fastapi.routing import APIRoute

from gateway.app import ROUTERS, openapi
from gateway.guard import noun_router, scope_of

ROUTES = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]


def test_a_route_that_does_not_say_whom_it_admits_cannot_be_made() -> None:
    router = noun_router("things")
    with pytest.raises(TypeError, match="/things must say whom it admits"):

        @router.get("/things")
        async def things() -> None:
            """Says nothing."""


def test_the_description_tells_the_scope_of_each_route_and_the_one_form_of_errors() -> None:
    document = openapi(ROUTES)
    told = [
        (route, document["paths"][route.path_format][method.lower()])
        for route in ROUTES
        for method in (route.methods or ())
        if route.include_in_schema
    ]
    assert (document["openapi"], len(told) > 20) == ("3.1.0", True)
    for route, operation in told:
        assert operation["x-scope"] == scope_of(route)
        assert bool(operation["security"]) == (scope_of(route) != "public")
        assert set(operation["responses"]["422"]["content"]) == {"application/problem+json"}

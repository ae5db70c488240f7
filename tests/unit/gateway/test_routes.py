"""Every route says whom it admits."""

import pytest
from fastapi import FastAPI

from gateway.app import ROUTERS, openapi, routes_of
from gateway.guard import noun_router, scope_of


def test_a_route_that_does_not_say_whom_it_admits_cannot_be_made() -> None:
    router = noun_router("things")
    with pytest.raises(TypeError, match="/things must say whom it admits"):

        @router.get("/things")
        async def things() -> None:
            """Says nothing."""


def test_the_description_tells_the_scope_of_each_route_and_the_one_form_of_errors() -> None:
    app = FastAPI()
    for router in ROUTERS:
        app.router.routes.extend(router.routes)
    routes = [route for route in routes_of(app) if route.path.startswith("/") and hasattr(route, "dependant")]
    ours = [route for route in routes if type(route).__name__ == "GuardedRoute"]
    document = openapi(ours)
    assert document["openapi"] == "3.1.0"
    for route in ours:
        for method in (route.methods or ()) if route.include_in_schema else ():
            operation = document["paths"][route.path_format][method.lower()]
            assert operation["x-scope"] == scope_of(route)
            assert bool(operation["security"]) == (scope_of(route) != "public")
            assert set(operation["responses"]["422"]["content"]) == {"application/problem+json"}

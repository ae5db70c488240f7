"""The application: all nouns, one form of errors, and the description of it all."""

import functools
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from gateway import errors
from gateway.about.routes import router as about
from gateway.artifacts.routes import router as artifacts
from gateway.assets.routes import router as assets
from gateway.audit.routes import router as audit
from gateway.batches.routes import router as batches
from gateway.bulk.routes import router as bulk
from gateway.context import Gateway
from gateway.events.routes import router as events
from gateway.exports.routes import router as exports
from gateway.failed.routes import router as failed
from gateway.groups.routes import router as groups
from gateway.guard import scope_of
from gateway.images.file_routes import router as image_files
from gateway.images.routes import router as images
from gateway.images.trying_routes import router as image_tries
from gateway.jobs.asking_routes import router as job_requests
from gateway.jobs.routes import router as jobs
from gateway.keys.routes import router as keys
from gateway.pages.all_pages import PAGES
from gateway.pipeline.routes import router as pipeline
from gateway.presets.routes import router as presets
from gateway.prompts.routes import router as prompts
from gateway.runs.routes import router as runs
from gateway.search.routes import router as search
from gateway.services.routes import router as services
from gateway.sessions.chunk_routes import router as session_chunks
from gateway.sessions.routes import router as sessions
from gateway.sessions.speaker_routes import router as session_speakers
from gateway.status.routes import router as status
from gateway.uploads.routes import router as uploads
from gateway.users.routes import router as users
from gateway.videos.routes import router as videos
from gateway.views.routes import router as views
from gateway.webhooks.routes import router as webhooks
from gateway.worker_switch.routes import router as worker_switch
from windmill import VERSION

ROUTERS: Sequence[APIRouter] = (
    about,
    jobs,
    job_requests,
    events,
    bulk,
    batches,
    presets,
    artifacts,
    assets,
    uploads,
    images,
    image_files,
    image_tries,
    search,
    exports,
    runs,
    services,
    failed,
    status,
    webhooks,
    pipeline,
    prompts,
    sessions,
    session_chunks,
    session_speakers,
    groups,
    users,
    videos,
    views,
    worker_switch,
    keys,
    audit,
)
"""One for each noun; a further one is added here."""
SECURITY = {"key": {"type": "http", "scheme": "bearer", "description": "A key, as `windmill keys create` prints it."}}


def create_app(gateway: Gateway) -> FastAPI:
    app = FastAPI(title="Windmill", version=VERSION, openapi_url=None, docs_url=None, redoc_url=None)
    app.state.gateway = gateway
    errors.install(app)
    for router in (*ROUTERS, *PAGES):
        # As they are: a router that is included has its routes made anew for each request.
        app.router.routes.extend(router.routes)
    # It takes a second of CPU, on a small machine five, and few ever ask for it.
    app.state.openapi = functools.cache(functools.partial(openapi, routes_of(app)))
    return app


def routes_of(app: FastAPI) -> list[APIRoute]:
    return [route for route in app.routes if isinstance(route, APIRoute)]


def openapi(routes: Sequence[APIRoute]) -> dict[str, Any]:
    """The description, in which each route names the scope that it needs."""
    document = get_openapi(title="Windmill", version=VERSION, openapi_version="3.1.0", routes=routes)
    parts = document.setdefault("components", {})
    parts["securitySchemes"] = SECURITY
    problem = errors.ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
    parts.setdefault("schemas", {}).update({**problem.pop("$defs", {}), "ProblemDetails": problem})
    for route in routes:
        for method in (route.methods or ()) if route.include_in_schema else ():
            operation = document["paths"][route.path_format][method.lower()]
            operation["x-scope"] = scope_of(route)
            operation["security"] = [] if scope_of(route) == "public" else [{"key": []}]
    return document

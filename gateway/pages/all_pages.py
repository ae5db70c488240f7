"""All pages; a further one is added here, before `unknown`, and to the navigation."""

from collections.abc import Sequence

from fastapi import APIRouter

from gateway.pages.audit.routes import router as audit
from gateway.pages.compose.routes import router as compose
from gateway.pages.failures.routes import router as failures
from gateway.pages.images.gallery import router as gallery
from gateway.pages.images.inspector import router as inspector
from gateway.pages.images.kept_searches import router as kept_searches
from gateway.pages.jobs.job import router as job
from gateway.pages.jobs.many import router as many_jobs
from gateway.pages.jobs.routes import router as jobs
from gateway.pages.keys.routes import router as keys
from gateway.pages.login.routes import router as login
from gateway.pages.overview.routes import router as overview
from gateway.pages.runs.routes import router as runs
from gateway.pages.sessions.routes import router as sessions
from gateway.pages.sessions.speaker_routes import router as speakers
from gateway.pages.static_routes import router as static
from gateway.pages.unknown import router as unknown
from gateway.pages.videos.routes import router as videos
from gateway.pages.webhooks.routes import router as webhooks
from gateway.pages.work.routes import router as work
from gateway.pages.workers.routes import router as workers

PAGES: Sequence[APIRouter] = (
    static,
    login,
    overview,
    work,
    workers,
    runs,
    failures,
    webhooks,
    keys,
    audit,
    gallery,
    inspector,
    kept_searches,
    jobs,
    many_jobs,
    job,
    compose,
    videos,
    sessions,
    speakers,
    unknown,
)
"""In the order in which they are looked through: `unknown` takes whatever is left."""

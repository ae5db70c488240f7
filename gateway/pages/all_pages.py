"""All pages; a further one is added here, and to the navigation."""

from collections.abc import Sequence

from fastapi import APIRouter

from gateway.pages.login.routes import router as login
from gateway.pages.overview.routes import router as overview
from gateway.pages.static_routes import router as static

PAGES: Sequence[APIRouter] = (static, login, overview)

"""The results of the doctor's tests, and running tests so that a failing one does not hide the others."""

import asyncio
import logging
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Literal

from windmill.core.errors import DataRefused, WindmillError

logger = logging.getLogger(__name__)

Area = Literal[
    "settings",
    "broker",
    "topology",
    "database",
    "services",
    "engines",
    "images",
    "artifacts",
    "video",
    "gateway",
    "machine",
]
FindingState = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class DoctorFinding:
    """The result of one test: what was tested, what was found, and what to do about it."""

    area: Area
    name: str
    state: FindingState
    found: str
    remedy: str = ""


def ok(area: Area, name: str, found: str) -> DoctorFinding:
    return DoctorFinding(area, name, "ok", found)


def warning(area: Area, name: str, found: str, remedy: str) -> DoctorFinding:
    return DoctorFinding(area, name, "warning", found, remedy)


def problem(area: Area, name: str, found: str, remedy: str) -> DoctorFinding:
    return DoctorFinding(area, name, "problem", found, remedy)


def skipped(area: Area, name: str, because: str) -> DoctorFinding:
    return warning(area, name, f"not asked because {because}", "ask again when that is mended")


async def collect(area: Area, name: str, seconds: float, answer: Awaitable[list[DoctorFinding]]) -> list[DoctorFinding]:
    """The findings of `answer`, or one problem that says why there are none."""
    try:
        async with asyncio.timeout(seconds):
            return await answer
    except TimeoutError:
        return [problem(area, name, f"no answer within {seconds:g} s", "see whether it hangs, or give --timeout more")]
    except WindmillError as error:
        return [problem(area, name, error.message, error.remedy)]
    except DataRefused as error:
        return [problem(area, name, str(error), "see the log of PostgreSQL")]
    except Exception as error:
        # A bug in one test must not hide the findings of the others.
        logger.exception("a test of the doctor failed", extra={"area": area, "test": name})
        return [problem(area, name, f"the test itself failed: {error!r}", "report this with the trace above")]

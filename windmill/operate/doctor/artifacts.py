"""Files of jobs: whether the folder or bucket that ARTIFACTS_URL names is there, and lets this user in."""

import os
import shutil
from functools import partial
from pathlib import Path

from windmill.core.setting_parts import ArtifactSettings
from windmill.kernels.net.store_urls import StoreUrl
from windmill.operate.doctor.disk_space import judge_free_space
from windmill.operate.doctor.findings import DoctorFinding, ok, problem
from windmill.operate.doctor.threads import in_thread
from windmill.storage.artifacts.opening import open_artifact_store

NAME = "ARTIFACTS_URL"


async def examine(settings: ArtifactSettings, seconds: float) -> list[DoctorFinding]:
    """Nothing is written, so whether a bucket takes files is left to the first one."""
    place = settings.artifacts_url
    if not isinstance(place, StoreUrl):
        return await in_thread(partial(judge_folder, place))
    async for _ in open_artifact_store(settings, seconds, tries=0).list():
        return [ok("artifacts", NAME, f"{place} can be listed")]
    return [ok("artifacts", NAME, f"{place} can be listed, and holds no files of jobs yet")]


def judge_folder(folder: Path) -> list[DoctorFinding]:
    """The folder, which the first file makes, and the room on its disk."""
    there = next(one for one in (folder, *folder.parents) if one.exists())
    if not there.is_dir():
        return [problem("artifacts", NAME, f"{there} is no folder", f"correct {NAME}")]
    if not os.access(there, os.R_OK | os.X_OK):
        remedy = "let it in: chmod, or its group"
        return [problem("artifacts", NAME, f"this user may not read {there}", remedy)]
    room = judge_free_space("artifacts", "disk", shutil.disk_usage(there).free, str(there))
    return [_judge_writing(folder, there), room]


def _judge_writing(folder: Path, there: Path) -> DoctorFinding:
    """Workers of images read files of jobs, and need no more; workers of jobs and gateways also store them."""
    if os.access(there, os.W_OK):
        return ok("artifacts", NAME, str(folder) if there == folder else f"{folder}, which the first file makes")
    if there == folder:
        return ok("artifacts", NAME, f"{folder}, which this user may only read: it serves no jobs and no gateway")
    remedy = f"make it for the user that serves jobs, or correct {NAME}"
    return problem("artifacts", NAME, f"{folder} is not there, and this user may not make it", remedy)

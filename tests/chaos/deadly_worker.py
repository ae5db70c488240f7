"""A worker that dies of certain images, as one does that runs out of memory: python -m tests.chaos.deadly_worker

The real worker, with an image reader that ends the process at a file called `deadly...`.
"""

import asyncio
import os
import sys
from pathlib import Path

from windmill.core.messages import Job
from windmill.media.image.source import ImageSource
from windmill.process.runner import run
from workers import generic


class DeadlySource(ImageSource):
    async def read(self, job: Job) -> bytes:
        if Path(job.image_path or "").name.startswith("deadly"):
            await asyncio.sleep(0.05)  # memory takes a moment to fill
            os._exit(137)
        return await super().read(job)


if __name__ == "__main__":
    vars(generic)["ImageSource"] = DeadlySource  # the product has no hook for this, and needs none
    sys.exit(run(generic.main))

"""Whether steps that are done survive: all workers of a contender are killed with SIGKILL in the middle of a race, and
others take over."""

from dataclasses import dataclass

from bench.chain_contenders import ChainContender
from bench.chain_environment import STEPS
from bench.chain_rounds import ChainCourse
from bench.worker_process import kill


@dataclass(frozen=True)
class Kill:
    """Steps that were done when the workers were killed, those of them that were lost or done again, and all that were
    done in the end."""

    before: int
    changed: int
    after: int


async def kill_once(course: ChainCourse, way: ChainContender) -> Kill:
    """Kill when a fifth is done, and wait until others have done the rest."""
    total = course.chains * STEPS
    await course.clear(way)
    async with course.submitter(way) as submitter:
        await submitter.submit(course.chains)
        with course.workers(way) as workers:
            await course.until(way, workers, total // 5)
            for worker in workers:
                kill(worker)
        before = await course.finished(way)
        with course.workers(way) as workers:
            await course.until(way, workers, total)
        after = await course.finished(way)
    changed = sum(after.get(key) != at for key, at in before.items())
    return Kill(len(before), changed, len(after))

"""What became of jobs over which workers died and servers restarted, counted."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import asyncpg

# The effect of a task, in the transaction that ends it: under the lease by which it was ended.
COUNT_EFFECTS = """
CREATE TABLE effects (
    job_id bigint NOT NULL, position smallint NOT NULL, shard integer NOT NULL, lease uuid NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE FUNCTION note_effect() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO effects (job_id, position, shard, lease) VALUES (OLD.job_id, OLD.position, OLD.shard, OLD.lease);
    RETURN NULL;
END $$;
CREATE TRIGGER note_effect AFTER UPDATE ON tasks FOR EACH ROW
WHEN (NEW.status = 'succeeded' AND OLD.status <> 'succeeded') EXECUTE FUNCTION note_effect()
"""
JOBS = "SELECT status, count(*) FROM jobs GROUP BY status"
EFFECTS = """
SELECT concat_ws(' ', j.public_id, s.step, e.shard) AS shard, e.lease::text AS lease,
       extract(epoch FROM e.at)::float8 AS at
FROM effects AS e JOIN jobs AS j USING (job_id) JOIN steps AS s USING (job_id, position)
"""
LOST = "SELECT coalesce(sum(lost), 0) FROM tasks"


@dataclass(frozen=True)
class JobVerdict:
    """Counts after the last job."""

    jobs: Mapping[str, int]
    shards: int
    effects: int
    missing: int
    twice: int
    void: int
    """Effects under a lease with which the shard was never run."""
    runs: int
    late: int
    """Runs that began when the shard had its effect already."""
    by_frozen: int
    """Effects of leases whose worker was frozen until they were lost."""
    lost: int
    """Leases that were taken over."""

    @classmethod
    async def of(
        cls, rows: asyncpg.Connection, expected: Sequence[str], lines: Sequence[str], frozen: set[str]
    ) -> "JobVerdict":
        """`lines` are those that the runs have left."""
        effects = await rows.fetch(EFFECTS)
        times = Counter(effect["shard"] for effect in effects)
        runs = [line.rsplit(" ", 2) for line in lines]
        ended = {effect["shard"]: effect["at"] for effect in effects}
        began = {(shard, lease) for shard, lease, _ in runs}
        return cls(
            jobs={row[0]: row[1] for row in await rows.fetch(JOBS)},
            shards=len(expected),
            effects=len(effects),
            missing=len(set(expected) - set(times)),
            twice=sum(number > 1 for number in times.values()),
            void=sum((effect["shard"], effect["lease"]) not in began for effect in effects),
            runs=len(runs),
            late=sum(float(at) > ended[shard] for shard, _, at in runs if shard in ended),
            by_frozen=sum(effect["lease"] in frozen for effect in effects),
            lost=await rows.fetchval(LOST),
        )

    def line(self) -> str:
        return (
            f"jobs {self.jobs}, {self.shards:,} shards, {self.effects:,} effects, {self.missing} lost, {self.twice} "
            f"twice, {self.void} by a token that never ran; {self.runs:,} runs, {self.lost} leases taken over, "
            f"{self.late} runs of what was done, {self.by_frozen} effects of frozen workers"
        )

    def must_be_whole(self, jobs: int) -> None:
        """Every job has succeeded, and every shard has had its effect once."""
        assert self.jobs == {"succeeded": jobs}, self.line()
        assert (self.effects, self.missing, self.twice, self.void) == (self.shards, 0, 0, 0), self.line()
        assert (self.late, self.by_frozen) == (0, 0), self.line()

"""The table of post-processing stages: for each, what it depends on, which services feed it, and which queries it uses.

To add a stage: an entry here and in `Stage`, a migration that allows its name in `stages` and `stale`, the queries that
the entry names, and the module that runs it.
"""

from dataclasses import dataclass
from typing import Literal

Stage = Literal["merge", "enrich", "consensus", "hash", "index"]


@dataclass(frozen=True)
class StageSpec:
    """One stage. Queries are named as in sql/queries."""

    summary: str
    """What it produces, in a line for help texts."""
    module: str
    """The module that runs it, whose `make_runner` makes the runner of the stage."""
    awaits_services_of: Stage
    """An image waits for the services that feed this stage: the stage itself, or the one whose rows it reads."""
    awaits_stages: tuple[Stage, ...]
    """The stages that this one depends on: their pending work can make an image stale again."""
    looked_at_query: str
    """Selects those of some images that the stage has processed before."""
    stale_query: str
    """Selects those of some images that are stale: inputs changed, or computed by an older version or, if `calibrated`,
    with another calibration."""
    calibrated: bool
    """Whether its rows depend on the calibration."""
    patient: bool = False
    """Whether an image of which more is expected waits as long as any does, DEBOUNCE_MOST_SECONDS: nobody hurries for
    its rows, and each that is soon written anew has places in many indexes."""
    at_last_answer: bool = False
    """Whether an image gets its first row with its last answer, though other stages still work on it. Before that, it
    waits for answers as long as between two rows."""
    of_all_images: bool = False
    """Whether it processes every registered image; else those that have answers."""
    forget_query: str | None = None
    """Deletes the rows that would block a recomputation; None for a stage that replaces all of its rows."""

    @property
    def program(self) -> str:
        """The name of its module, as in systemd units, manifests and settings."""
        return self.module.rpartition(".")[2]


# In order of dependency: each stage comes after those that it depends on.
STAGES: dict[Stage, StageSpec] = {
    "merge": StageSpec(
        summary="one box for each object, from the boxes of all detectors",
        module="postprocessors.bbox_merger",
        awaits_services_of="merge",
        awaits_stages=(),
        looked_at_query="find_merged_images",
        stale_query="find_stale_merge",
        calibrated=True,
    ),
    "enrich": StageSpec(
        summary="services' answers about the crop of each merged box",
        module="postprocessors.spatial_enrichment",
        awaits_services_of="merge",
        awaits_stages=("merge",),
        looked_at_query="find_enriched_images",
        stale_query="find_stale_enrich",
        calibrated=False,
        # Enrichment rows live as long as their box, and are only computed where they are missing.
        forget_query="forget_enrichment",
    ),
    "consensus": StageSpec(
        summary="the vote of all services on what an image shows",
        module="postprocessors.consensus",
        awaits_services_of="consensus",
        awaits_stages=("merge", "enrich"),
        looked_at_query="find_voted_images",
        stale_query="find_stale_consensus",
        calibrated=True,
        at_last_answer=True,
    ),
    "hash": StageSpec(
        summary="what each registered picture looks like, as 64 bits",
        module="postprocessors.picture_hashes",
        awaits_services_of="hash",
        awaits_stages=(),
        looked_at_query="find_hashed_images",
        stale_query="find_stale_hash",
        calibrated=False,
        of_all_images=True,
        # A picture that could not be read may be there by now.
        forget_query="forget_hashes",
    ),
    "index": StageSpec(
        summary="the row by which an image is searched for",
        module="postprocessors.image_index",
        awaits_services_of="index",
        awaits_stages=("merge", "enrich", "consensus"),
        looked_at_query="find_indexed_images",
        stale_query="find_stale_index",
        calibrated=False,
        patient=True,
    ),
}

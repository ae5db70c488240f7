"""The stages of post-processing: what the rest of the code has to know of each, in one table.

A further stage is an entry here and in `Stage`, a migration that lets its name into `stages` and `stale`, the queries
that its entry names, and the module that runs it.
"""

from dataclasses import dataclass
from typing import Literal

Stage = Literal["merge", "enrich", "consensus"]


@dataclass(frozen=True)
class StageSpec:
    """One stage. Queries go by their names in sql/queries."""

    summary: str
    """What it makes, in a line for help texts."""
    module: str
    """What runs it; its `make_runner` makes the stage's runner."""
    awaits_services_of: Stage
    """An image waits for the services that feed this stage: itself, or the one on whose rows it rests."""
    awaits_stages: tuple[Stage, ...]
    """Open work of these can make an image stale again."""
    looked_at_query: str
    """Which of some images it has looked at before."""
    stale_query: str
    """Which of some images are stale, or were computed by an older version or, if `calibrated`, with another
    calibration."""
    calibrated: bool
    """Whether the calibration enters into its rows."""
    forget_query: str | None = None
    """What must go before an image is done anew; None for a stage that computes all of its rows anew by itself."""

    @property
    def program(self) -> str:
        """The name of its module, as units, manifests and settings call it."""
        return self.module.rpartition(".")[2]


# A stage stands behind those that it awaits.
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
        # What was found out of a box is kept for as long as the box is: to be asked again it has to go.
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
    ),
}

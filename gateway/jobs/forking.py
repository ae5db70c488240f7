"""The body of a fork, as what is to be different."""

from typing import Any

from gateway.caller import Caller
from gateway.jobs.shapes import ForkBody
from windmill.core.errors import WindmillError
from windmill.operate.jobs.preset_forks import ForkOrder


def preset_fork(caller: Caller, body: ForkBody) -> ForkOrder:
    """Of a job of a preset; raises USAGE for what it does not have."""
    if body.parameters is not None:
        said = "a job of a preset has no parameters but its quality and its engines"
        raise WindmillError("USAGE", said, "give quality and engines")
    return ForkOrder(
        from_step=body.from_step,
        values=body.inputs or {},
        quality=body.quality,
        engines=body.engines,
        consent=body.consent_given,
        by=caller.principal or "somebody here",
        principal=caller.principal,
    )


def plain_parameters(body: ForkBody) -> dict[str, Any] | None:
    """Of a job that no preset has made; raises USAGE for what it does not have."""
    if body.quality is not None or body.engines or body.consent_given:
        said = "the job was not made of a preset, so it has neither quality nor engines"
        raise WindmillError("USAGE", said, "give all of its inputs and parameters")
    return body.parameters

"""What somebody asks for: a preset, a level and inputs, read strictly."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from windmill.core.errors import WindmillError
from windmill.kernels.text.json_readers import DocumentInvalid
from windmill.pipelines.presets.conditions import decide
from windmill.pipelines.presets.expressions import Known
from windmill.pipelines.presets.preset import Preset
from windmill.pipelines.schema import DIALECT, inputs_schema
from windmill.pipelines.values import read_values
from windmill.storage.jobs.rows import GivenConsent


@dataclass(frozen=True)
class PresetRequest:
    """A request after every check. `inputs` has the defaults and every seed, so it can be run again as it was."""

    preset: Preset
    quality: str
    inputs: Mapping[str, Any]

    @cached_property
    def known(self) -> Known:
        """What expressions and conditions are evaluated with."""
        return Known(self.inputs, self.quality, self.preset.quality_levels[self.quality])

    @cached_property
    def consent_reason(self) -> str:
        """Why somebody has to confirm that this may be done; empty if nobody has to."""
        consent = self.preset.consent
        if consent is None:
            return ""
        if consent.when is None:
            return "it always does"
        decision = decide(consent.when, self.known)
        return decision.why if decision.met else ""


def read_request(
    preset: Preset,
    inputs: Mapping[str, object],
    quality: str | None,
    *,
    consent_given: bool,
    draw_seed: Callable[[], int],
) -> PresetRequest:
    """Raises USAGE with every mistake, or CONSENT_MISSING. A seed that is not given is drawn now, once for all tries,
    as engines refuse a request without one."""
    level = quality or preset.usual_quality
    if level not in preset.quality_levels:
        said = f"{preset.id} has no quality {level!r:.60}; it has {', '.join(preset.quality_levels)}"
        raise WindmillError("USAGE", said)
    try:
        values = read_values(preset.inputs, inputs)
    except DocumentInvalid as error:
        raise WindmillError("USAGE", f"{preset.id}: {error}") from error
    drawn = {name: draw_seed() for name, spec in preset.inputs.items() if spec.type == "seed" and name not in values}
    request = PresetRequest(preset, level, values | drawn)
    if not consent_given and (reason := request.consent_reason):
        raise WindmillError("CONSENT_MISSING", f"{preset.id} needs a confirmation, because {reason}")
    return request


def consents_of(request: PresetRequest, given_by: str) -> list[GivenConsent]:
    """What somebody has confirmed by this request, if anything had to be."""
    consent, reason = request.preset.consent, request.consent_reason
    return [GivenConsent(consent.text, reason, given_by)] if consent and reason else []


def request_schema(preset: Preset) -> dict[str, Any]:
    """The JSON Schema of the inputs of a preset."""
    return {
        "$schema": DIALECT,
        "$id": f"urn:windmill:preset:{preset.id}:{preset.version}",
        "title": preset.name,
        "description": preset.description,
        **inputs_schema(preset.inputs),
    }

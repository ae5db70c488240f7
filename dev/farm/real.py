"""Loading the real models, for whoever asks for them: their libraries are an extra that the stand-ins do without."""

import sys
from importlib.util import find_spec

from dev.farm.prediction_pool import AnswerSource
from windmill.core.errors import WindmillError

LIBRARIES = ("ai_edge_litert", "onnx", "onnxruntime")


def load_real(*, accept_unstated: bool) -> AnswerSource:
    """The answers of real models; raises WindmillError if they or their libraries cannot be had."""
    must_have_libraries()
    from dev.models.catalogue import models
    from dev.models.fetching import models_cache
    from dev.models.real_answers import load

    return load(models(accept_unstated=accept_unstated), models_cache(), _report)


def real_services(*, accept_unstated: bool) -> set[str]:
    """The services that real models answer for."""
    from dev.models.catalogue import models

    return {one.service for one in models(accept_unstated=accept_unstated)}


def must_have_libraries() -> None:
    """Raise unless the extra `models` is installed."""
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    if missing:
        remedy = "in a checkout: make models; elsewhere: pip install ai-edge-litert onnx onnxruntime"
        raise WindmillError("NOT_FOUND", f"real models need {' and '.join(missing)}, not installed here", remedy)


def _report(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()

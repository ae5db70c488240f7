"""The check of an image URL before it is handed to a service that fetches images itself."""

from windmill.core.errors import WindmillError
from windmill.kernels.net.image_urls import UnfitImageUrl, check_url_for_others


def reject_unfit_url(image_url: str, allowed: frozenset[str]) -> None:
    """Raise IMAGE_FORBIDDEN for a URL that may not be handed over. The name is resolved by the service, not here."""
    try:
        check_url_for_others(image_url, allowed)
    except UnfitImageUrl as error:
        raise WindmillError("IMAGE_FORBIDDEN", str(error), reached=False) from error

"""Failures as somebody names them."""

from gateway.context import Gateway
from windmill.operate.dead_letters.codes import checked_codes
from windmill.operate.services import find_service


async def named_failure(gateway: Gateway, service: str, code: str) -> tuple[str, str]:
    """The service and the code, empty for messages without. Raises USAGE for a code that is none, and NOT_FOUND for a
    service that nobody has configured."""
    codes = checked_codes([code]) if code else [""]
    return find_service(await gateway.image_fleet.fleet(), service).name, next(iter(codes))

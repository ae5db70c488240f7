"""Submitting images to services."""

from tests.integration.fleet import Fleet


async def submitted(fleet: Fleet, services: str, picture: bytes, count: int = 3) -> list[int]:
    images = await fleet.register_pictures(count, picture)
    end = await fleet.produce("--services", services)
    assert end.code == 0, end.err
    return images

"""A delivery processor for each test."""

import pytest

from tests.unit.edge.delivery.delivery_scene import CLIP, SETTINGS
from tests.unit.world import World
from windmill.calling.service_state import ServiceState
from windmill.edge.delivery_processor import DeliveryProcessor


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def state(world: World) -> ServiceState:
    return world.state(CLIP, SETTINGS)


@pytest.fixture
def processor(world: World, state: ServiceState) -> DeliveryProcessor:
    made = world.processor(state, SETTINGS)
    made.has_suspects = False  # as after the first job
    return made

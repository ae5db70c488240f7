"""Fleets for the doctor."""

from collections.abc import AsyncIterator

import pytest

from tests.conformance.services.serving import serving
from tests.integration.doctor.patient import SERVICES, Patient
from tests.integration.fleet import Fleet


@pytest.fixture
async def undeclared(fleet: Fleet) -> AsyncIterator[Patient]:
    async with serving(*SERVICES) as services:
        yield Patient(fleet, services)


@pytest.fixture
async def patient(undeclared: Patient) -> Patient:
    return await undeclared.declared()

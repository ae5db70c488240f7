"""What every route works with."""

from dataclasses import dataclass, field, replace
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from gateway.cursors import Cursors
from gateway.direct_route import OfRequest
from gateway.events.stream import StreamCounts
from gateway.image_fleet import ImageFleet
from gateway.key_ring import KeyRing
from gateway.metrics import RequestCounts
from gateway.pages.form_tokens import FormTokens
from gateway.preset_shelf import PresetShelf
from gateway.rate_limits import RateLimits
from gateway.request_state import state_of
from gateway.server_work import ServerWork
from windmill.core.settings import Settings
from windmill.jobs.access import ChangeWitness, JobAccess
from windmill.operate.sessions.people import Person
from windmill.storage.artifacts.store import ArtifactStore
from windmill.storage.audit_log import Actor


@dataclass(frozen=True)
class Gateway:
    """The parts of one process."""

    settings: Settings
    access: JobAccess
    store: ArtifactStore
    keys: KeyRing
    cursors: Cursors
    rates: RateLimits
    generates: RateLimits
    """Of what costs more than other requests."""
    presets: PresetShelf = field(compare=False)
    image_fleet: ImageFleet = field(compare=False)
    streams: StreamCounts = field(compare=False)
    work: ServerWork = field(compare=False)
    form_tokens: FormTokens = field(compare=False)
    local: bool = True
    """Whether it listens on this machine alone."""
    counts: RequestCounts = field(default_factory=RequestCounts, compare=False)

    def watched(self, witness: ChangeWitness) -> JobAccess:
        """The access for a change that is watched."""
        return replace(self.access, witness=witness)


def gateway_of(request: Request) -> Gateway:
    gateway = request.app.state.gateway
    assert isinstance(gateway, Gateway)
    return gateway


def actor_of(request: Request) -> Actor:
    """Who makes this request, for the audit log."""
    state = state_of(request)
    assert state.caller, "the route asks for no key"
    return state.caller.actor(state.request_id)


def person_of(request: Request) -> Person:
    """Who makes this request, as talks know people."""
    caller = state_of(request).caller
    assert caller, "the route asks for no key"
    return Person(actor_of(request), caller.scope == "admin")


Speaking = Annotated[Person, Depends(OfRequest(person_of))]
Context = Annotated[Gateway, Depends(OfRequest(gateway_of))]
Who = Annotated[Actor, Depends(OfRequest(actor_of))]

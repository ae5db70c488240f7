"""Keys: made, listed, rotated and revoked by administrators."""

from gateway.context import Context, Who
from gateway.guard import Admin, noun_router
from gateway.keys.shapes import KeyAnswer, KeyList, KeyPrefix, KeyShape, MadeKeyAnswer, NewKeyBody, RotateBody
from windmill.operate.keys.keys import NewKey, all_keys, create_key, revoke_key, rotate_key, shown_key
from windmill.storage.api_keys import ApiKey

router = noun_router("keys")


def _shape(key: ApiKey) -> KeyShape:
    return KeyShape.model_validate(shown_key(key))


@router.get("/keys")
async def list_keys(gateway: Context, _: Admin) -> KeyList:
    """All keys that were ever made."""
    keys = [_shape(key) for key in await all_keys(gateway.access.pool, gateway.settings)]
    return KeyList(keys=keys, count=len(keys))


@router.post("/keys", status_code=201)
async def make_key(gateway: Context, _: Admin, who: Who, body: NewKeyBody) -> MadeKeyAnswer:
    """Make a key. It is told now and never again. From the first one on everybody needs one, so that has to be an
    administrator's (409)."""
    made = await create_key(gateway.access.pool, gateway.settings, who, NewKey(**body.model_dump()), keep_admin=True)
    gateway.keys.forget()
    return MadeKeyAnswer(key=_shape(made.key), secret=made.text)


@router.post("/keys/{prefix}/rotate")
async def rotate(
    gateway: Context, _: Admin, who: Who, prefix: KeyPrefix, body: RotateBody | None = None
) -> MadeKeyAnswer:
    """Give a key a new secret; the one before stays good for a while."""
    grace = (body or RotateBody()).grace_seconds
    made = await rotate_key(gateway.access.pool, gateway.settings, who, prefix, grace)
    gateway.keys.forget()
    return MadeKeyAnswer(key=_shape(made.key), secret=made.text)


@router.delete("/keys/{prefix}")
async def revoke(gateway: Context, _: Admin, who: Who, prefix: KeyPrefix) -> KeyAnswer:
    """Refuse a key from now on; other gateways follow within a second. The last good one of an
    administrator stays (409)."""
    key = await revoke_key(gateway.access.pool, gateway.settings, who, prefix, keep_admin=True)
    gateway.keys.forget()
    return KeyAnswer(key=_shape(key))

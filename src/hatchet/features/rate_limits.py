"""`hatchet.rate_limits`: budgets of units per time that tasks share."""

from datetime import datetime
from typing import TYPE_CHECKING

from hatchet._run.rest import Call, nothing
from hatchet.features.flow_models import (
    PauseKind,
    RateLimitList,
    RateLimitOrderByDirection,
    RateLimitOrderByField,
)
from hatchet.features.pauses import PausesClient
from hatchet.types.rate_limit import RateLimitDuration

if TYPE_CHECKING:
    from hatchet._run.client import Client

__all__ = ["RateLimitsClient"]

LIMIT_MAX = 2**31 - 1  # what the protocol can carry


class RateLimitsClient:
    """Limits by key, shared by all tasks and workflows. `aio_...` methods do the same from async
    code.

        hatchet.rate_limits.put("mail-api", limit=10, duration=RateLimitDuration.MINUTE)

        @hatchet.task(rate_limits=[RateLimit(static_key="mail-api", units=1)])
        async def send(input: Mail, ctx: Context) -> None: ...

    `put` and `pause` raise `HatchetCallError` if the engine refuses and `EngineUnavailableError`
    if it cannot be reached; the others raise what `hatchet.clients.rest.exceptions` holds.
    """

    def __init__(self, client: "Client") -> None:
        self._client = client

    def put(
        self, key: str, limit: int, duration: RateLimitDuration = RateLimitDuration.SECOND
    ) -> None:
        """Make or change a limit: `limit` units in each window of `duration`.

        Units that are left never become more by a change; the next window is full. A limit of 0
        lets nothing pass. Raises `ValueError` for an empty key or a negative limit.
        """
        from hatchet._wire import rate_limits as wire

        request = wire.put_request(_key(key), _limit(limit), RateLimitDuration(duration).value)
        self._client.session.unary_sync(wire.PUT_PATH, request)

    async def aio_put(
        self, key: str, limit: int, duration: RateLimitDuration = RateLimitDuration.SECOND
    ) -> None:
        from hatchet._wire import rate_limits as wire

        request = wire.put_request(_key(key), _limit(limit), RateLimitDuration(duration).value)
        await self._client.session.unary(wire.PUT_PATH, request)

    def pause(self, key: str, until: datetime) -> datetime:
        """Give out no units of a key before a time; the time in force, in UTC.

        For an API that answers "too many requests, come back later". A naive time is UTC. A longer
        pause that is on already stays. Tasks that run go on; see also `ctx.pause_rate_limit`, and
        `hatchet.pauses.pause_rate_limit`, which says why and can make a pause shorter.
        """
        from hatchet._wire import rate_limits as wire

        request = wire.pause_request(_key(key), until)
        return wire.paused_until(self._client.session.unary_sync(wire.PAUSE_PATH, request))

    async def aio_pause(self, key: str, until: datetime) -> datetime:
        from hatchet._wire import rate_limits as wire

        request = wire.pause_request(_key(key), until)
        return wire.paused_until(await self._client.session.unary(wire.PAUSE_PATH, request))

    def _resume(self, key: str) -> Call[None]:
        return PausesClient(self._client).ending(PauseKind.RATE_LIMIT, _key(key))

    def resume(self, key: str) -> None:
        """End the pause of a key, whoever began it. No error if there is none."""
        self._resume(key).send()

    async def aio_resume(self, key: str) -> None:
        await self._resume(key).aio()

    @property
    def _path(self) -> str:
        return f"/api/v1/tenants/{self._client.rest.tenant}/rate-limits"

    def _list(
        self,
        offset: int | None,
        limit: int | None,
        search: str | None,
        order_by_field: RateLimitOrderByField | None,
        order_by_direction: RateLimitOrderByDirection | None,
    ) -> Call[RateLimitList]:
        return self._client.rest.call(
            "GET",
            self._path,
            RateLimitList.model_validate_json,
            query={
                "offset": offset,
                "limit": limit,
                "search": search,
                "orderByField": order_by_field,
                "orderByDirection": order_by_direction,
            },
        )

    def list(
        self,
        offset: int | None = None,
        limit: int | None = None,
        search: str | None = None,
        order_by_field: RateLimitOrderByField | None = None,
        order_by_direction: RateLimitOrderByDirection | None = None,
    ) -> RateLimitList:
        """One page (50 rows) of limits, by key, with the units that are left now.

        `search` selects by a part of the key; case counts.
        """
        return self._list(offset, limit, search, order_by_field, order_by_direction).send()

    async def aio_list(
        self,
        offset: int | None = None,
        limit: int | None = None,
        search: str | None = None,
        order_by_field: RateLimitOrderByField | None = None,
        order_by_direction: RateLimitOrderByDirection | None = None,
    ) -> RateLimitList:
        return await self._list(offset, limit, search, order_by_field, order_by_direction).aio()

    def _delete(self, key: str) -> Call[None]:
        return self._client.rest.call("DELETE", self._path, nothing, query={"key": _key(key)})

    def delete(self, key: str) -> None:
        """Forget a limit, if there is one. Tasks that ask for it wait until it is put again."""
        self._delete(key).send()

    async def aio_delete(self, key: str) -> None:
        await self._delete(key).aio()


def _key(key: str) -> str:
    if not key:
        raise ValueError("key: a rate limit needs a key")
    return key


def _limit(limit: int) -> int:
    if not 0 <= limit <= LIMIT_MAX:
        raise ValueError(f"limit must be 0 to {LIMIT_MAX}, not {limit}")
    return limit

"""Pages for people: the status page at / and the description of the API at /api/docs."""

from __future__ import annotations

import asyncio

import asyncpg
import orjson
from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from hatchet_engine.domain.states import Status
from hatchet_engine.observe import metrics
from hatchet_engine.transports.rest.pages import docs, status
from hatchet_engine.transports.rest.responses import JsonResponse
from hatchet_engine.transports.rest.scope import Services, Shared

DAY_MS = 86_400_000
COUNTS_KEPT_MS = 30_000  # counting a day of runs is not free, and the page refreshes itself
COUNTS_TIMEOUT_S = 5.0

router = APIRouter(include_in_schema=False)


class RunCounts:
    """Runs per status of the last day, counted at most twice a minute whoever looks."""

    def __init__(self) -> None:
        self._counts: dict[Status, int] | None = None
        self._counted_ms = 0
        self._lock = asyncio.Lock()

    async def get(self, shared: Services) -> dict[Status, int] | None:
        """None when the database does not answer in time."""
        now_ms = shared.engine.clock.now_ms()
        async with self._lock:
            if self._counts is None or now_ms - self._counted_ms >= COUNTS_KEPT_MS:
                self._counted_ms = now_ms
                self._counts = await self._count(shared, now_ms - DAY_MS)
        return self._counts

    async def _count(self, shared: Services, since_ms: int) -> dict[Status, int] | None:
        try:
            async with asyncio.timeout(COUNTS_TIMEOUT_S):
                return await metrics.status_counts_all(shared.engine.read_pool, since_ms)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return None


@router.get("/")
async def status_page(request: Request, shared: Shared) -> Response:
    counts: RunCounts = request.app.state.run_counts
    page = status.render(shared.engine.status(), await counts.get(shared))
    return HTMLResponse(page, headers={"cache-control": "no-store"})


@router.get("/api/docs")
async def docs_page(request: Request) -> Response:
    return HTMLResponse(docs.render(_description(request)))


@router.get("/api/openapi.json")
async def openapi(request: Request) -> Response:
    return JsonResponse(orjson.dumps(_description(request)))


def _description(request: Request) -> dict[str, object]:
    app: FastAPI = request.app
    return app.openapi()

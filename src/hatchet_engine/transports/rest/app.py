"""The REST server as an ASGI app. It runs in the engine's event loop: handlers never block."""

from __future__ import annotations

from fastapi import FastAPI

from hatchet_engine.transports.rest import errors
from hatchet_engine.transports.rest.engine_api import Authenticator, EngineApi
from hatchet_engine.transports.rest.middleware import Guard
from hatchet_engine.transports.rest.routes import (
    absent,
    bulk,
    cel,
    concurrency,
    crons,
    events,
    filters,
    instance,
    logs,
    metrics,
    pages,
    pauses,
    rate_limits,
    runs,
    scheduled,
    streams,
    tasks,
    workers,
    workflows,
)
from hatchet_engine.transports.rest.schemas.common import APIErrors
from hatchet_engine.transports.rest.scope import Services
from hatchet_engine.transports.rest.settings import RestSettings
from hatchet_engine.transports.rest.versions import package_version

# The first route that fits is taken: what isn't offered yet names fixed paths, so it stands before
# paths with variables.
_ROUTERS = (
    pages,
    instance,
    absent,
    runs,
    tasks,
    bulk,
    events,
    filters,
    logs,
    metrics,
    crons,
    scheduled,
    workflows,
    workers,
    rate_limits,
    pauses,
    cel,
    concurrency,
    streams,
)


def create_app(engine: EngineApi, settings: RestSettings, authenticator: Authenticator) -> FastAPI:
    """The app with all routes. Nothing is started and nothing is read before the first request."""
    app = FastAPI(
        title="Hatchet REST API",
        description="Compatible with the official Hatchet API.",
        version=package_version(),
        openapi_url=None,  # served by routes/pages.py, like the page made from it
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses={
            400: {"model": APIErrors},
            403: {"model": APIErrors},
        },
    )
    app.state.services = Services(engine, settings, authenticator)
    app.state.run_counts = pages.RunCounts()
    for module in _ROUTERS:
        app.include_router(module.router)
    errors.install(app)
    app.add_middleware(
        Guard,
        body_bytes_max=settings.body_bytes_max,
        allowed_origins=settings.allowed_origins,
    )
    return app

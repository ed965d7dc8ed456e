"""The official Python SDK's feature clients, in their own process, against our server."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
from pathlib import Path
from uuid import UUID

import pytest
import uvicorn

from hatchet_engine.domain.states import Status
from hatchet_engine.transports.rest.app import create_app
from hatchet_engine.transports.rest.settings import RestSettings
from hatchet_engine.turn.commands import (
    CancelTasks,
    DeleteWorkflow,
    Pause,
    ReplayTasks,
    Resume,
    TriggerRuns,
)
from tests.support.rest import OFFICIAL_PYTHON, Api, FakeAuthenticator, Live
from tests.support.rows import NOW_MS, at

TIMEOUT_S = 60


class ClaimAuthenticator(FakeAuthenticator):
    """Takes the tenant from an unsigned token, which is all that the SDK looks at as well."""

    async def tenant_of(self, header: str | None) -> UUID:
        token = (header or "").removeprefix("Bearer ")
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return UUID(claims["sub"])


def token_for(tenant: UUID, url: str) -> str:
    claims = {"sub": str(tenant), "server_url": url, "grpc_broadcast_address": "127.0.0.1:1"}
    parts = [json.dumps(part).encode() for part in ({"alg": "none"}, claims)]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts) + ".x"


@pytest.mark.slow
@pytest.mark.wire
@pytest.mark.timeout(TIMEOUT_S + 30)
async def test_feature_clients(api: Api) -> None:
    workflow = await api.rows.workflow("mail")
    run = await api.rows.run(workflow, Status.COMPLETED, output='{"a": 1}', metadata={"k": "v"})
    worker = await api.rows.worker(actions=["mail:step"])
    await api.rows.connection.execute(
        "insert into task_log (tenant_id, id, task_id, attempt, at, level, message)"
        " values ($1,$2,$3,0,$4,'INFO','hello')",
        api.tenant,
        api.rows.ids.new(NOW_MS),
        run,
        at(NOW_MS),
    )
    api.engine.live[worker] = Live()
    api.engine.answers = {TriggerRuns: [run], DeleteWorkflow: True, ReplayTasks: [run]}
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        app = create_app(api.engine, RestSettings(url), ClaimAuthenticator())
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        process = await asyncio.create_subprocess_exec(
            OFFICIAL_PYTHON,
            Path(__file__).with_name("official_client.py"),
            *(str(run), str(workflow.id), "mail", str(worker)),
            env={**os.environ, "HATCHET_CLIENT_TOKEN": token_for(api.tenant, url)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(TIMEOUT_S):
                output, complaints = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
            server.should_exit = True
            await serving
    assert process.returncode == 0, complaints.decode()
    assert output.decode().endswith("done\n")
    kinds = [type(command) for command in api.engine.commands]
    assert kinds == [
        TriggerRuns,
        CancelTasks,
        ReplayTasks,
        ReplayTasks,
        Pause,
        Resume,
        DeleteWorkflow,
    ]

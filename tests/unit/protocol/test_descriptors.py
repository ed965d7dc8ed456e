"""The generated protocol: fresh, equal to the official one, and at peace with it in one process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hatchet_protocol.dispatcher import (
    AssignedAction,
    StepActionEvent,
    StepActionEventType,
    StepRunResult,
)
from hatchet_protocol.services import METHODS, SERVICES
from hatchet_protocol.times import new_timestamp, set_timestamp, timestamp_ms
from hatchet_protocol.v1_dispatcher import DurableTaskRequest

ROOT = Path(__file__).resolve().parents[3]
OFFICIAL_PYTHON = ROOT / ".venv-official" / "bin" / "python"
PRINT_DESCRIPTORS = Path(__file__).with_name("print_descriptors.py")

IMPORT_OURS = """
from hatchet_protocol import dispatcher, events, services, v1_dispatcher, v1_workflows, workflows
ours = dispatcher.AssignedAction(tenant_id="t", retry_count=2, durable_task_invocation_count=1)
"""
IMPORT_OFFICIAL = """
import hatchet_sdk
from hatchet_sdk.contracts import dispatcher_pb2, events_pb2, workflows_pb2
from hatchet_sdk.contracts.v1 import dispatcher_pb2 as v1_dispatcher_pb2
from hatchet_sdk.contracts.v1 import workflows_pb2 as v1_workflows_pb2
official = dispatcher_pb2.AssignedAction(
    tenant_id="t", retry_count=2, durable_task_invocation_count=1
)
"""
EXCHANGE = """
assert type(ours) is not type(official)
assert ours.SerializeToString() == official.SerializeToString()
assert type(official).FromString(ours.SerializeToString()) == official
assert type(ours).FromString(official.SerializeToString()) == ours
"""


def run(python: str | Path, *arguments: str | Path) -> str:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    process = subprocess.run(
        [python, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


@pytest.fixture(scope="module")
def official_python() -> Path:
    if not OFFICIAL_PYTHON.exists():
        pytest.fail(
            "no .venv-official in the repository: make one with"
            " `python3 -m venv .venv-official` and"
            " `.venv-official/bin/pip install hatchet-sdk==1.43.1`"
        )
    return OFFICIAL_PYTHON


def test_generated_files_are_fresh() -> None:
    run(sys.executable, ROOT / "scripts" / "gen_protocol.py", "--check")


@pytest.mark.parametrize(
    "imports",
    [IMPORT_OURS + IMPORT_OFFICIAL, IMPORT_OFFICIAL + IMPORT_OURS],
    ids=["ours_first", "official_first"],
)
def test_lives_beside_official_sdk(official_python: Path, imports: str) -> None:
    run(official_python, "-c", imports + EXCHANGE)


def test_equals_official_descriptors(official_python: Path) -> None:
    official = json.loads(run(official_python, PRINT_DESCRIPTORS, "official"))
    ours = json.loads(run(sys.executable, PRINT_DESCRIPTORS, "ours"))
    files = {place for place in official if place.endswith(".proto")}
    assert len(files) == 7
    ours = {place: fact for place, fact in ours.items() if place.split(":")[0] in files}
    differences = [
        f"{place}: official {official.get(place)}, ours {ours.get(place)}"
        for place in sorted(official.keys() | ours.keys())
        if official.get(place) != ours.get(place)
    ]
    assert not differences, "\n".join(differences)


def test_services() -> None:
    official = (
        "Dispatcher",
        "EventsService",
        "WorkflowService",
        "v1.V1Dispatcher",
        "v1.AdminService",
    )
    assert sum(len(SERVICES[name].methods) for name in official) == 36
    durable = METHODS["/v1.V1Dispatcher/DurableTask"]
    assert durable.request is DurableTaskRequest
    assert (durable.client_streaming, durable.server_streaming) == (True, True)
    listen = SERVICES["Dispatcher"].methods["ListenV2"]
    assert listen.path == "/Dispatcher/ListenV2"
    assert listen.response is AssignedAction
    assert (listen.client_streaming, listen.server_streaming) == (False, True)


def test_enums_are_ints() -> None:
    event = StepActionEvent(event_type=StepActionEventType.COMPLETED)
    assert event.event_type == 2
    assert StepActionEvent.FromString(event.SerializeToString()) == event
    unknown = StepActionEvent.FromString(b"\x40\x63")
    assert unknown.event_type == 99


def test_presence() -> None:
    assert not StepRunResult(error=None).HasField("error")
    assert StepRunResult(error="").HasField("error")


@pytest.mark.parametrize("epoch_ms", [0, 1, 999, 1_700_000_000_123, -1])
def test_timestamps(epoch_ms: int) -> None:
    event = StepActionEvent(event_timestamp=new_timestamp(epoch_ms))
    assert timestamp_ms(event.event_timestamp) == epoch_ms
    set_timestamp(event.event_timestamp, epoch_ms + 5)
    assert timestamp_ms(event.event_timestamp) == epoch_ms + 5
    assert event.event_timestamp.nanos >= 0

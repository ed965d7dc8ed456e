"""Workflows and their versions as the turn uses them: resolved, with queues attached."""

from __future__ import annotations

from uuid import UUID

from hatchet_engine.domain import ids
from hatchet_engine.domain.definition import TaskDefinition, WorkflowDefinition
from hatchet_engine.domain.labels import DesiredLabel
from hatchet_engine.turn.queues import Queue


class Step:
    """One task of one version, ready to run."""

    __slots__ = (
        "backoff_factor",
        "backoff_max_s",
        "execution_timeout_ms",
        "id",
        "index",
        "labels",
        "name",
        "queue",
        "retries",
        "schedule_timeout_ms",
        "units",
        "version",
    )

    def __init__(self, version: Version, index: int, task: TaskDefinition, queue: Queue) -> None:
        self.version = version
        self.index = index
        self.id = ids.step_id(version.id, index)
        self.name = task.name
        self.queue = queue
        self.retries = task.retries
        self.backoff_factor = task.backoff_factor
        self.backoff_max_s = task.backoff_max_s
        self.execution_timeout_ms = task.execution_timeout_ms
        self.schedule_timeout_ms = task.schedule_timeout_ms
        self.units: dict[str, int] = task.slots or {"default": 1}
        self.labels: dict[str, DesiredLabel] = task.labels


class Version:
    __slots__ = (
        "created_ms",
        "definition",
        "digest",
        "id",
        "name",
        "number",
        "steps",
        "tenant_id",
        "workflow_id",
    )

    def __init__(
        self,
        *,
        id: UUID,
        tenant_id: UUID,
        workflow_id: UUID,
        name: str,
        number: int,
        digest: bytes,
        definition: WorkflowDefinition,
        created_ms: int,
    ) -> None:
        self.id = id
        self.tenant_id = tenant_id
        self.workflow_id = workflow_id
        self.name = name
        self.number = number
        self.digest = digest
        self.definition = definition
        self.created_ms = created_ms
        self.steps: list[Step] = []


class Definitions:
    """All latest versions, and older ones as far as live tasks needed them."""

    def __init__(self) -> None:
        self.latest: dict[tuple[UUID, str], Version] = {}
        self.versions: dict[UUID, Version] = {}

    def add(self, version: Version, *, latest: bool) -> None:
        self.versions[version.id] = version
        if latest:
            self.latest[version.tenant_id, version.name] = version

    def remove_workflow(self, tenant_id: UUID, workflow_id: UUID) -> None:
        for key, version in list(self.latest.items()):
            if version.tenant_id == tenant_id and version.workflow_id == workflow_id:
                del self.latest[key]

"""Workflows and their versions as the turn uses them: resolved, with queues attached."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from hatchet_engine.domain import ids
from hatchet_engine.domain.conditions import CANCEL
from hatchet_engine.domain.definition import (
    BatchConfig,
    Condition,
    TaskDefinition,
    WorkflowDefinition,
)
from hatchet_engine.domain.idempotency import STATUS
from hatchet_engine.domain.labels import DesiredLabel
from hatchet_engine.domain.states import TaskKind
from hatchet_engine.turn.asks import Asks, Rule
from hatchet_engine.turn.queues import Queue
from hatchet_engine.turn.shapes import Shape

TRIGGERED_KEPT_MAX = 10_000  # event keys whose workflows are remembered


class Step:
    """One task of one version, ready to run."""

    __slots__ = (
        "ancestors",
        "asks",
        "backoff_factor",
        "backoff_max_s",
        "batch",
        "children",
        "conditions",
        "execution_timeout_ms",
        "id",
        "index",
        "labels",
        "name",
        "on_failure",
        "parents",
        "queue",
        "retries",
        "rules",
        "schedule_timeout_ms",
        "shape",
        "sticky",
        "units",
        "version",
        "watched",
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
        self.sticky = version.definition.sticky
        self.shape: Shape | None = None  # of its tasks that ask for no worker and no other labels
        self.on_failure = task.on_failure
        self.batch: BatchConfig | None = task.batch
        self.conditions: list[Condition] = task.conditions
        # Whether an event or a time may cancel it while it is queued.
        self.watched = any(
            condition.action == CANCEL and condition.kind != "parent"
            for condition in task.conditions
        )
        # What its expressions ask for as it begins; None: nothing.
        self.asks: Asks | None = None
        self.rules: tuple[Rule, ...] = ()
        # Positions in the version: what it follows from directly, what follows from it directly,
        # and everything before it.
        self.parents: list[int] = []
        self.children: list[int] = []
        self.ancestors: list[int] = []

    def ask(self, asks: Asks) -> None:
        """Attach what its expressions ask for."""
        self.asks, self.rules = asks, asks.rules


class Version:
    __slots__ = (
        "asks",
        "created_ms",
        "definition",
        "digest",
        "frees_key",
        "id",
        "name",
        "number",
        "on_failure",
        "rules",
        "several",
        "steps",
        "task_kind",
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
        # For whole runs of several tasks; a single task has the rules of its workflow (REG-15).
        self.asks: Asks | None = None
        self.rules: tuple[Rule, ...] = ()
        keys = definition.idempotency
        self.frees_key = keys is not None and keys.method == STATUS  # when a run ends
        # Whether its runs have members, which can wait for each other and for conditions.
        self.several = len(definition.tasks) > 1 or any(t.conditions for t in definition.tasks)
        self.task_kind = TaskKind.MEMBER if self.several else TaskKind.STANDALONE
        self.on_failure: int | None = None  # position of that task

    def limit(self, asks: Asks) -> None:
        """Attach the concurrency rules of whole runs."""
        self.asks, self.rules = asks, asks.rules

    def link(self) -> None:
        """Connect the steps with each other, once all are there; parents stand before children."""
        by_name = {step.name: step for step in self.steps}
        for step, task in zip(self.steps, self.definition.tasks, strict=True):
            if task.on_failure:
                self.on_failure = step.index
            step.parents = [by_name[name].index for name in task.parents]
            before: set[int] = set(step.parents)
            for parent in step.parents:
                self.steps[parent].children.append(step.index)
                before.update(self.steps[parent].ancestors)
            step.ancestors = sorted(before)


class Definitions:
    """All latest versions, and older ones as far as live tasks needed them."""

    def __init__(self) -> None:
        self.latest: dict[tuple[UUID, str], Version] = {}
        self.versions: dict[UUID, Version] = {}
        self.keyed: set[tuple[UUID, str]] = set()  # those of the latest with idempotency keys
        self._triggered: dict[tuple[UUID, str], list[Version]] = {}  # what keys start, as asked

    def triggered_by(
        self, tenant_id: UUID, key: str, matches: Callable[[str, str], bool]
    ) -> list[Version]:
        """The latest versions of workflows that an event of this key starts (E-9, E-12)."""
        found = self._triggered.get((tenant_id, key))
        if found is None:
            if len(self._triggered) >= TRIGGERED_KEPT_MAX:
                self._triggered.clear()
            found = self._triggered[tenant_id, key] = [
                version
                for (owner, _), version in self.latest.items()
                if owner == tenant_id
                and any(matches(one, key) for one in version.definition.event_triggers)
            ]
        return found

    def add(self, version: Version, *, latest: bool) -> None:
        self.versions[version.id] = version
        self._triggered.clear()
        if latest:
            key = (version.tenant_id, version.name)
            self.latest[key] = version
            if version.definition.idempotency is not None:
                self.keyed.add(key)
            else:
                self.keyed.discard(key)

    def remove_workflow(self, tenant_id: UUID, workflow_id: UUID) -> None:
        self._triggered.clear()
        for key, version in list(self.latest.items()):
            if version.tenant_id == tenant_id and version.workflow_id == workflow_id:
                del self.latest[key]
                self.keyed.discard(key)

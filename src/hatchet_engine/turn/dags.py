"""Runs of several tasks in memory: a cache of what their rows say.

A run is loaded when something happens to it, and kept while it is busy. After each commit the rows
tell everything: a member that has not ended is BEGUN when all its parents have ended, else PENDING,
because every turn follows all consequences to their end.
"""

from __future__ import annotations

from collections import OrderedDict
from uuid import UUID

import orjson

from hatchet_engine.domain.dag import SKIPPED_OUTPUT, Member
from hatchet_engine.domain.demand import Demand, Place
from hatchet_engine.turn.definitions import Step, Version
from hatchet_engine.turn.queues import KEPT_INPUT_MAX

MEMBERS_KEPT_MAX = 200_000  # members of all runs in memory


class Dag:
    """One run of several tasks that has not ended. Lists are by position of the step."""

    __slots__ = (
        "attempts",
        "begun_ms",
        "child_index",
        "child_key",
        "created_ms",
        "demand",
        "errors",
        "filter_payload",
        "input",
        "metadata",
        "outputs",
        "parent_task_id",
        "pending_parents",
        "places",
        "priority",
        "rank",
        "replays",
        "run_id",
        "states",
        "task_ids",
        "tenant_id",
        "triggers",
        "unended",
        "version",
        "workers",
    )

    def __init__(
        self,
        *,
        run_id: UUID,
        version: Version,
        task_ids: list[UUID],
        priority: int,
        input: str | None,
        metadata: str,
        created_ms: int,
        demand: Demand | None = None,
        parent_task_id: UUID | None = None,
        child_index: int | None = None,
        child_key: str | None = None,
        filter_payload: str | None = None,
        places: tuple[Place, ...] = (),
    ) -> None:
        count = len(task_ids)
        self.run_id = run_id
        self.tenant_id = version.tenant_id
        self.version = version
        self.task_ids = task_ids
        self.priority = priority
        self.rank: dict[int, int] = {}  # priority of members that a replay has put ahead
        self.input = input  # None: large, and read when needed
        self.metadata = metadata
        self.created_ms = created_ms
        self.demand = demand  # worker and labels, for all of its tasks
        self.places = places  # under the concurrency rules of whole runs
        self.parent_task_id = parent_task_id
        self.child_index = child_index
        self.child_key = child_key
        self.filter_payload = filter_payload  # JSON text
        self.states = [Member.PENDING] * count
        self.attempts = [0] * count  # the attempt a pending member will begin with
        self.outputs: dict[int, str | None] = {}  # of those that ended, unless too large
        self.errors: dict[int, str] = {}  # of those that failed
        self.triggers: dict[int, str] = {}  # data of met conditions, JSON text
        # Of a sticky workflow: where tasks have ended, the last one last.
        self.workers: dict[int, UUID] = {}
        self.begun_ms: int | None = None  # when the first attempt was given out
        self.replays = 0
        self.pending_parents: list[int] = []
        self.unended = count
        self.recount()

    def recount(self) -> None:
        """Work out what follows from the states."""
        states = self.states
        self.pending_parents = [
            sum(not states[parent].final for parent in step.parents) for step in self.version.steps
        ]
        self.unended = sum(not state.final for state in states)

    def ended_on(self, position: int, worker_id: UUID) -> None:
        """A task has ended on a worker."""
        if self.version.definition.sticky is not None:
            self.workers.pop(position, None)
            self.workers[position] = worker_id

    def base_demand(self, step: Step) -> Demand | None:
        """What a task takes over from its run: labels, and the worker. In a sticky workflow that of
        the parent that ended last comes first, or of the last one before, if the parents have had
        none (DAG-20)."""
        for before in (step.parents, step.ancestors):
            for position in reversed(self.workers):
                if position in before:
                    labels = None if self.demand is None else self.demand.labels
                    return Demand(worker_id=self.workers[position], labels=labels)
        return self.demand

    def parents(self, step: Step) -> list[Member]:
        return [self.states[parent] for parent in step.parents]

    def forget_large(self) -> None:
        """Once a turn is decided: what is large stands in the tables and is read when needed."""
        if self.input is not None and len(self.input) > KEPT_INPUT_MAX:
            self.input = None
        large = [
            at
            for at, text in self.outputs.items()
            if text is not None and len(text) > KEPT_INPUT_MAX
        ]
        for at in large:
            del self.outputs[at]

    def knows_outputs(self, positions: list[int]) -> bool:
        """Whether the outputs of all of these that completed are in memory."""
        return all(
            self.states[position] is not Member.COMPLETED or position in self.outputs
            for position in positions
        )

    def context(self, step: Step) -> str:
        """What a start message tells beside the input (B5.1): outputs of all tasks before this
        one, data of met conditions, errors for the on-failure task. JSON object text, "" = none.
        """
        parts = []
        outputs = self._outputs(step.ancestors)
        if outputs:
            parts.append(f'"parents":{outputs}')
        triggers = merge_triggers(self.triggers.get(step.index), self.filter_payload)
        if triggers is not None:
            parts.append(f'"triggers":{triggers}')
        if step.on_failure:
            errors = {self.version.steps[at].name: text for at, text in self.errors.items()}
            parts.append(f'"step_run_errors":{orjson.dumps(errors).decode()}')
        return f"{{{','.join(parts)}}}" if parts else ""

    def parent_outputs(self, step: Step) -> str:
        """By name, for expressions. JSON object text."""
        return self._outputs(step.parents) or "{}"

    def _outputs(self, positions: list[int]) -> str:
        texts = [
            f"{_text(self.version.steps[position].name)}:{self._output(position)}"
            for position in positions
            if self.states[position].done
        ]
        return f"{{{','.join(texts)}}}" if texts else ""

    def _output(self, position: int) -> str:
        """As an object, which is what SDKs expect of a parent."""
        if self.states[position] is Member.SKIPPED:
            return SKIPPED_OUTPUT
        output = self.outputs.get(position)
        return output if output is not None and output.lstrip().startswith("{") else "{}"


def merge_triggers(data: str | None, filter_payload: str | None) -> str | None:
    """``triggers`` of a start message: data of met conditions and the payload of the filter."""
    if data is None and filter_payload is None:
        return None
    head = data.rstrip()[:-1].rstrip() if data is not None else "{"
    comma = "" if head.endswith("{") else ","
    return f'{head}{comma}"filter_payload":{filter_payload or "null"}}}'


def _text(name: str) -> str:
    return orjson.dumps(name).decode()


class Dags:
    """The runs in memory, least recently used first."""

    def __init__(self) -> None:
        self._by_run: OrderedDict[UUID, Dag] = OrderedDict()
        self._members = 0

    def __len__(self) -> int:
        return len(self._by_run)

    def get(self, run_id: UUID) -> Dag | None:
        dag = self._by_run.get(run_id)
        if dag is not None:
            self._by_run.move_to_end(run_id)
        return dag

    def add(self, dag: Dag) -> None:
        if dag.run_id not in self._by_run:
            self._members += len(dag.task_ids)
        self._by_run[dag.run_id] = dag

    def remove(self, run_id: UUID) -> None:
        dag = self._by_run.pop(run_id, None)
        if dag is not None:
            self._members -= len(dag.task_ids)

    def shrink(self) -> None:
        """Forget runs that nothing has happened to for long; call it after a commit only."""
        while self._members > MEMBERS_KEPT_MAX and len(self._by_run) > 1:
            _, dag = self._by_run.popitem(last=False)
            self._members -= len(dag.task_ids)

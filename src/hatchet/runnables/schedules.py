"""Running a workflow later: at a time, or by a cron."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson

from hatchet._core.codec import EmptyModel, write_input
from hatchet._core.naming import apply_namespace
from hatchet.exceptions import DedupeViolationError, HatchetCallError
from hatchet.runnables.base import BaseWorkflow
from hatchet.runnables.task import TInput
from hatchet.types.trigger import ScheduleTriggerWorkflowOptions

if TYPE_CHECKING:
    from hatchet._wire.schedules import WorkflowVersion
    from hatchet.features.cron import CronClient
    from hatchet.features.schedule_models import CronWorkflows

__all__ = ["Schedulable"]

JSONMapping = dict[str, Any]
NO_INPUT: Any = EmptyModel()


class Schedulable(BaseWorkflow[TInput]):
    """What can run later."""

    def schedule(
        self,
        run_at: datetime,
        input: TInput = NO_INPUT,
        options: ScheduleTriggerWorkflowOptions | None = None,
        *,
        child_key: str | None = None,
        additional_metadata: JSONMapping | None = None,
        priority: int | None = None,
    ) -> "WorkflowVersion":
        """Run it once, at a time. Returns when the engine has stored it.

        - `run_at`: a time without zone is UTC; one of the past is due at once
        - `additional_metadata`: searchable data
        - `priority`: 1 to 3; default: the workflow's

        The answer's `scheduled_workflows[0].id` names it for `hatchet.scheduled.get`. What may be
        moved or deleted later is made by `hatchet.scheduled.create`. Raises `HatchetCallError` if
        the engine refuses it.

            remind.schedule(datetime.now(UTC) + timedelta(hours=1), Reminder(to="Ada"))
        """
        request = self._schedule(run_at, input, options, child_key, additional_metadata, priority)
        from hatchet._wire import schedules

        try:
            answer: WorkflowVersion = self._client.session.unary_sync(
                schedules.PATH, request, once=True
            )
        except HatchetCallError as error:
            raise _read(error) from None
        return answer

    async def aio_schedule(
        self,
        run_at: datetime,
        input: TInput = NO_INPUT,
        options: ScheduleTriggerWorkflowOptions | None = None,
        *,
        child_key: str | None = None,
        additional_metadata: JSONMapping | None = None,
        priority: int | None = None,
    ) -> "WorkflowVersion":
        """Like `schedule`, from async code."""
        request = self._schedule(run_at, input, options, child_key, additional_metadata, priority)
        from hatchet._wire import schedules

        try:
            answer: WorkflowVersion = await self._client.session.unary(
                schedules.PATH, request, once=True
            )
        except HatchetCallError as error:
            raise _read(error) from None
        return answer

    def create_cron(
        self,
        cron_name: str,
        expression: str,
        input: TInput = NO_INPUT,
        additional_metadata: JSONMapping | None = None,
        priority: int | None = None,
    ) -> "CronWorkflows":
        """Run it by a cron; see `hatchet.cron.create`."""
        given = self._input_object(input)
        return self._crons().create(
            self._config.name, cron_name, expression, given, additional_metadata, priority
        )

    async def aio_create_cron(
        self,
        cron_name: str,
        expression: str,
        input: TInput = NO_INPUT,
        additional_metadata: JSONMapping | None = None,
        priority: int | None = None,
    ) -> "CronWorkflows":
        """Like `create_cron`, from async code."""
        given = self._input_object(input)
        return await self._crons().aio_create(
            self._config.name, cron_name, expression, given, additional_metadata, priority
        )

    def _crons(self) -> "CronClient":
        from hatchet.features.cron import CronClient

        return CronClient(self._client)

    def _input_object(self, input: TInput) -> JSONMapping:
        found: JSONMapping = orjson.loads(write_input(self._input_codec, input) or "{}")
        return found

    def _schedule(
        self,
        run_at: datetime,
        input: TInput,
        options: ScheduleTriggerWorkflowOptions | None,
        child_key: str | None,
        additional_metadata: JSONMapping | None,
        priority: int | None,
    ) -> Any:
        from hatchet._wire import schedules

        if options is None:
            options = ScheduleTriggerWorkflowOptions(
                child_key=child_key,
                additional_metadata=additional_metadata or {},
                priority=priority,
            )
        name = self.name
        if options.namespace is not None:
            name = apply_namespace(self._config.name, options.namespace)
        metadata = {**self._config.default_additional_metadata, **options.additional_metadata}
        return schedules.schedule_request(
            name,
            [run_at],
            write_input(self._input_codec, input),
            orjson.dumps(metadata).decode(),
            options.priority,
            (options.parent_id, options.parent_step_run_id, options.child_index, options.child_key),
        )


def _read(error: HatchetCallError) -> Exception:
    return DedupeViolationError(error.message) if error.code == "ALREADY_EXISTS" else error

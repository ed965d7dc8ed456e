"""The Python SDK of Hatchet: background tasks and workflows on Postgres.

    from hatchet import Context, Hatchet

    hatchet = Hatchet()

    @hatchet.task()
    async def greet(input: Name, ctx: Context) -> Greeting:
        return Greeting(text=f"Hello, {input.name}")

Names are loaded when first used, so that importing costs little.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hatchet._version import __version__ as __version__

if TYPE_CHECKING:
    from hatchet._core.codec import EmptyModel as EmptyModel
    from hatchet.clients.listeners.run_event_listener import RunEventListener as RunEventListener
    from hatchet.clients.listeners.run_event_listener import StepRunEvent as StepRunEvent
    from hatchet.clients.listeners.run_event_listener import StepRunEventType as StepRunEventType
    from hatchet.clients.listeners.run_event_listener import (
        WorkflowRunEventType as WorkflowRunEventType,
    )
    from hatchet.conditions import Condition as Condition
    from hatchet.conditions import OrGroup as OrGroup
    from hatchet.conditions import ParentCondition as ParentCondition
    from hatchet.conditions import SleepCondition as SleepCondition
    from hatchet.conditions import UserEventCondition as UserEventCondition
    from hatchet.conditions import or_ as or_
    from hatchet.config import ClientConfig as ClientConfig
    from hatchet.config import ClientTLSConfig as ClientTLSConfig
    from hatchet.config import HealthcheckConfig as HealthcheckConfig
    from hatchet.config import OpenTelemetryConfig as OpenTelemetryConfig
    from hatchet.config import OTelAttribute as OTelAttribute
    from hatchet.config import TenacityConfig as TenacityConfig
    from hatchet.context.batch import BatchContext as BatchContext
    from hatchet.context.context import Context as Context
    from hatchet.context.context import DurableContext as DurableContext
    from hatchet.context.context import WorkerContext as WorkerContext
    from hatchet.exceptions import (
        BulkTriggerIdempotencyCollisionError as BulkTriggerIdempotencyCollisionError,
    )
    from hatchet.exceptions import ConnectionLostError as ConnectionLostError
    from hatchet.exceptions import DedupeViolationError as DedupeViolationError
    from hatchet.exceptions import EngineUnavailableError as EngineUnavailableError
    from hatchet.exceptions import EvictionNotSupportedError as EvictionNotSupportedError
    from hatchet.exceptions import FailedTaskRunExceptionGroup as FailedTaskRunExceptionGroup
    from hatchet.exceptions import HatchetCallError as HatchetCallError
    from hatchet.exceptions import IdempotencyCollisionError as IdempotencyCollisionError
    from hatchet.exceptions import IllegalTaskOutputError as IllegalTaskOutputError
    from hatchet.exceptions import InvalidDependencyError as InvalidDependencyError
    from hatchet.exceptions import LifespanSetupError as LifespanSetupError
    from hatchet.exceptions import LoopAlreadyRunningError as LoopAlreadyRunningError
    from hatchet.exceptions import NonDeterminismError as NonDeterminismError
    from hatchet.exceptions import NonRetryableException as NonRetryableException
    from hatchet.exceptions import RetryAfterException as RetryAfterException
    from hatchet.exceptions import RunCancelledError as RunCancelledError
    from hatchet.exceptions import SyncWaitInAsyncTaskError as SyncWaitInAsyncTaskError
    from hatchet.exceptions import TaskRunError as TaskRunError
    from hatchet.exceptions import TriggerOutcomeUnknownError as TriggerOutcomeUnknownError
    from hatchet.features.cel import CELEvaluationResult as CELEvaluationResult
    from hatchet.features.cel import CELFailure as CELFailure
    from hatchet.features.cel import CELSuccess as CELSuccess
    from hatchet.features.event_models import V1Event as V1Event
    from hatchet.features.event_models import V1EventList as V1EventList
    from hatchet.features.event_models import V1Filter as V1Filter
    from hatchet.features.event_models import V1FilterList as V1FilterList
    from hatchet.features.event_models import V1UpdateFilterRequest as V1UpdateFilterRequest
    from hatchet.features.models import APIResourceMeta as APIResourceMeta
    from hatchet.features.models import BulkCancelReplayOpts as BulkCancelReplayOpts
    from hatchet.features.models import LogLineLevel as LogLineLevel
    from hatchet.features.models import PaginationResponse as PaginationResponse
    from hatchet.features.models import RunFilter as RunFilter
    from hatchet.features.models import RunStatus as RunStatus
    from hatchet.features.models import V1TaskStatus as V1TaskStatus
    from hatchet.features.models import WorkerList as WorkerList
    from hatchet.features.models import WorkflowList as WorkflowList
    from hatchet.features.models import WorkflowVersion as WorkflowVersion
    from hatchet.features.schedule_models import CronWorkflows as CronWorkflows
    from hatchet.features.schedule_models import CronWorkflowsList as CronWorkflowsList
    from hatchet.features.schedule_models import CronWorkflowsMethod as CronWorkflowsMethod
    from hatchet.features.schedule_models import (
        CronWorkflowsOrderByField as CronWorkflowsOrderByField,
    )
    from hatchet.features.schedule_models import ScheduledRunStatus as ScheduledRunStatus
    from hatchet.features.schedule_models import ScheduledWorkflows as ScheduledWorkflows
    from hatchet.features.schedule_models import (
        ScheduledWorkflowsBulkDeleteResponse as ScheduledWorkflowsBulkDeleteResponse,
    )
    from hatchet.features.schedule_models import (
        ScheduledWorkflowsBulkError as ScheduledWorkflowsBulkError,
    )
    from hatchet.features.schedule_models import (
        ScheduledWorkflowsBulkUpdateItem as ScheduledWorkflowsBulkUpdateItem,
    )
    from hatchet.features.schedule_models import (
        ScheduledWorkflowsBulkUpdateResponse as ScheduledWorkflowsBulkUpdateResponse,
    )
    from hatchet.features.schedule_models import ScheduledWorkflowsList as ScheduledWorkflowsList
    from hatchet.features.schedule_models import (
        ScheduledWorkflowsMethod as ScheduledWorkflowsMethod,
    )
    from hatchet.features.schedule_models import (
        ScheduledWorkflowsOrderByField as ScheduledWorkflowsOrderByField,
    )
    from hatchet.features.schedule_models import (
        WorkflowRunOrderByDirection as WorkflowRunOrderByDirection,
    )
    from hatchet.features.schedule_models import WorkflowRunStatus as WorkflowRunStatus
    from hatchet.hatchet import Hatchet as Hatchet
    from hatchet.runnables.config import WorkflowConfig as WorkflowConfig
    from hatchet.runnables.dependencies import Depends as Depends
    from hatchet.runnables.eviction import EvictionPolicy as EvictionPolicy
    from hatchet.runnables.task import Task as Task
    from hatchet.runnables.types import BatchMemberId as BatchMemberId
    from hatchet.runnables.types import DefaultFilter as DefaultFilter
    from hatchet.runnables.types import TaskDefaults as TaskDefaults
    from hatchet.runnables.workflow import Standalone as Standalone
    from hatchet.runnables.workflow import Workflow as Workflow
    from hatchet.serde import (
        is_in_hatchet_serialization_context as is_in_hatchet_serialization_context,
    )
    from hatchet.serde import remove_null_unicode_character as remove_null_unicode_character
    from hatchet.types.concurrency import ConcurrencyExpression as ConcurrencyExpression
    from hatchet.types.concurrency import ConcurrencyLimitStrategy as ConcurrencyLimitStrategy
    from hatchet.types.cron import CatchUp as CatchUp
    from hatchet.types.cron import Cron as Cron
    from hatchet.types.cron import Overlap as Overlap
    from hatchet.types.idempotency import (
        StatusBasedIdempotencyConfig as StatusBasedIdempotencyConfig,
    )
    from hatchet.types.idempotency import TTLBasedIdempotencyConfig as TTLBasedIdempotencyConfig
    from hatchet.types.labels import DesiredWorkerLabel as DesiredWorkerLabel
    from hatchet.types.labels import WorkerLabel as WorkerLabel
    from hatchet.types.labels import WorkerLabelComparator as WorkerLabelComparator
    from hatchet.types.priority import Priority as Priority
    from hatchet.types.rate_limit import RateLimit as RateLimit
    from hatchet.types.rate_limit import RateLimitDuration as RateLimitDuration
    from hatchet.types.slot_types import SlotType as SlotType
    from hatchet.types.sticky import StickyStrategy as StickyStrategy
    from hatchet.types.trigger import BulkPushEventOptions as BulkPushEventOptions
    from hatchet.types.trigger import BulkPushEventWithMetadata as BulkPushEventWithMetadata
    from hatchet.types.trigger import PushEventOptions as PushEventOptions
    from hatchet.types.trigger import (
        ScheduleTriggerWorkflowOptions as ScheduleTriggerWorkflowOptions,
    )
    from hatchet.types.trigger import TriggerWorkflowOptions as TriggerWorkflowOptions
    from hatchet.types.trigger import WorkflowRunTriggerConfig as WorkflowRunTriggerConfig
    from hatchet.worker.worker import Worker as Worker
    from hatchet.worker.worker import WorkerStartOptions as WorkerStartOptions
    from hatchet.worker.worker import WorkerStatus as WorkerStatus
    from hatchet.workflow_run import TaskRunRef as TaskRunRef
    from hatchet.workflow_run import WorkflowRunRef as WorkflowRunRef

# Where each public name is defined.
_HOMES = {
    "APIResourceMeta": "hatchet.features.models",
    "BatchContext": "hatchet.context.batch",
    "BatchMemberId": "hatchet.runnables.types",
    "BulkCancelReplayOpts": "hatchet.features.models",
    "BulkPushEventOptions": "hatchet.types.trigger",
    "BulkPushEventWithMetadata": "hatchet.types.trigger",
    "BulkTriggerIdempotencyCollisionError": "hatchet.exceptions",
    "CELEvaluationResult": "hatchet.features.cel",
    "CELFailure": "hatchet.features.cel",
    "CELSuccess": "hatchet.features.cel",
    "CatchUp": "hatchet.types.cron",
    "ClientConfig": "hatchet.config",
    "ClientTLSConfig": "hatchet.config",
    "ConcurrencyExpression": "hatchet.types.concurrency",
    "ConcurrencyLimitStrategy": "hatchet.types.concurrency",
    "Condition": "hatchet.conditions",
    "ConnectionLostError": "hatchet.exceptions",
    "Context": "hatchet.context.context",
    "Cron": "hatchet.types.cron",
    "CronWorkflows": "hatchet.features.schedule_models",
    "CronWorkflowsList": "hatchet.features.schedule_models",
    "CronWorkflowsMethod": "hatchet.features.schedule_models",
    "CronWorkflowsOrderByField": "hatchet.features.schedule_models",
    "DedupeViolationError": "hatchet.exceptions",
    "DefaultFilter": "hatchet.runnables.types",
    "Depends": "hatchet.runnables.dependencies",
    "DesiredWorkerLabel": "hatchet.types.labels",
    "DurableContext": "hatchet.context.context",
    "EmptyModel": "hatchet._core.codec",
    "EngineUnavailableError": "hatchet.exceptions",
    "EvictionNotSupportedError": "hatchet.exceptions",
    "EvictionPolicy": "hatchet.runnables.eviction",
    "FailedTaskRunExceptionGroup": "hatchet.exceptions",
    "Hatchet": "hatchet.hatchet",
    "HatchetCallError": "hatchet.exceptions",
    "HealthcheckConfig": "hatchet.config",
    "IdempotencyCollisionError": "hatchet.exceptions",
    "IllegalTaskOutputError": "hatchet.exceptions",
    "InvalidDependencyError": "hatchet.exceptions",
    "LifespanSetupError": "hatchet.exceptions",
    "LogLineLevel": "hatchet.features.models",
    "LoopAlreadyRunningError": "hatchet.exceptions",
    "NonDeterminismError": "hatchet.exceptions",
    "NonRetryableException": "hatchet.exceptions",
    "OTelAttribute": "hatchet.config",
    "OpenTelemetryConfig": "hatchet.config",
    "OrGroup": "hatchet.conditions",
    "Overlap": "hatchet.types.cron",
    "PaginationResponse": "hatchet.features.models",
    "ParentCondition": "hatchet.conditions",
    "Priority": "hatchet.types.priority",
    "PushEventOptions": "hatchet.types.trigger",
    "RateLimit": "hatchet.types.rate_limit",
    "RateLimitDuration": "hatchet.types.rate_limit",
    "RetryAfterException": "hatchet.exceptions",
    "RunCancelledError": "hatchet.exceptions",
    "RunEventListener": "hatchet.clients.listeners.run_event_listener",
    "RunFilter": "hatchet.features.models",
    "RunStatus": "hatchet.features.models",
    "ScheduleTriggerWorkflowOptions": "hatchet.types.trigger",
    "ScheduledRunStatus": "hatchet.features.schedule_models",
    "ScheduledWorkflows": "hatchet.features.schedule_models",
    "ScheduledWorkflowsBulkDeleteResponse": "hatchet.features.schedule_models",
    "ScheduledWorkflowsBulkError": "hatchet.features.schedule_models",
    "ScheduledWorkflowsBulkUpdateItem": "hatchet.features.schedule_models",
    "ScheduledWorkflowsBulkUpdateResponse": "hatchet.features.schedule_models",
    "ScheduledWorkflowsList": "hatchet.features.schedule_models",
    "ScheduledWorkflowsMethod": "hatchet.features.schedule_models",
    "ScheduledWorkflowsOrderByField": "hatchet.features.schedule_models",
    "SleepCondition": "hatchet.conditions",
    "SlotType": "hatchet.types.slot_types",
    "Standalone": "hatchet.runnables.workflow",
    "StatusBasedIdempotencyConfig": "hatchet.types.idempotency",
    "StepRunEvent": "hatchet.clients.listeners.run_event_listener",
    "StepRunEventType": "hatchet.clients.listeners.run_event_listener",
    "StickyStrategy": "hatchet.types.sticky",
    "SyncWaitInAsyncTaskError": "hatchet.exceptions",
    "TTLBasedIdempotencyConfig": "hatchet.types.idempotency",
    "Task": "hatchet.runnables.task",
    "TaskDefaults": "hatchet.runnables.types",
    "TaskRunError": "hatchet.exceptions",
    "TaskRunRef": "hatchet.workflow_run",
    "TenacityConfig": "hatchet.config",
    "TriggerOutcomeUnknownError": "hatchet.exceptions",
    "TriggerWorkflowOptions": "hatchet.types.trigger",
    "UserEventCondition": "hatchet.conditions",
    "V1Event": "hatchet.features.event_models",
    "V1EventList": "hatchet.features.event_models",
    "V1Filter": "hatchet.features.event_models",
    "V1FilterList": "hatchet.features.event_models",
    "V1TaskStatus": "hatchet.features.models",
    "V1UpdateFilterRequest": "hatchet.features.event_models",
    "Worker": "hatchet.worker.worker",
    "WorkerContext": "hatchet.context.context",
    "WorkerLabel": "hatchet.types.labels",
    "WorkerLabelComparator": "hatchet.types.labels",
    "WorkerList": "hatchet.features.models",
    "WorkerStartOptions": "hatchet.worker.worker",
    "WorkerStatus": "hatchet.worker.worker",
    "Workflow": "hatchet.runnables.workflow",
    "WorkflowConfig": "hatchet.runnables.config",
    "WorkflowList": "hatchet.features.models",
    "WorkflowRunEventType": "hatchet.clients.listeners.run_event_listener",
    "WorkflowRunOrderByDirection": "hatchet.features.schedule_models",
    "WorkflowRunRef": "hatchet.workflow_run",
    "WorkflowRunStatus": "hatchet.features.schedule_models",
    "WorkflowRunTriggerConfig": "hatchet.types.trigger",
    "WorkflowVersion": "hatchet.features.models",
    "is_in_hatchet_serialization_context": "hatchet.serde",
    "or_": "hatchet.conditions",
    "remove_null_unicode_character": "hatchet.serde",
}

__all__ = [
    "APIResourceMeta",
    "BatchContext",
    "BatchMemberId",
    "BulkCancelReplayOpts",
    "BulkPushEventOptions",
    "BulkPushEventWithMetadata",
    "BulkTriggerIdempotencyCollisionError",
    "CELEvaluationResult",
    "CELFailure",
    "CELSuccess",
    "CatchUp",
    "ClientConfig",
    "ClientTLSConfig",
    "ConcurrencyExpression",
    "ConcurrencyLimitStrategy",
    "Condition",
    "ConnectionLostError",
    "Context",
    "Cron",
    "CronWorkflows",
    "CronWorkflowsList",
    "CronWorkflowsMethod",
    "CronWorkflowsOrderByField",
    "DedupeViolationError",
    "DefaultFilter",
    "Depends",
    "DesiredWorkerLabel",
    "DurableContext",
    "EmptyModel",
    "EngineUnavailableError",
    "EvictionNotSupportedError",
    "EvictionPolicy",
    "FailedTaskRunExceptionGroup",
    "Hatchet",
    "HatchetCallError",
    "HealthcheckConfig",
    "IdempotencyCollisionError",
    "IllegalTaskOutputError",
    "InvalidDependencyError",
    "LifespanSetupError",
    "LogLineLevel",
    "LoopAlreadyRunningError",
    "NonDeterminismError",
    "NonRetryableException",
    "OTelAttribute",
    "OpenTelemetryConfig",
    "OrGroup",
    "Overlap",
    "PaginationResponse",
    "ParentCondition",
    "Priority",
    "PushEventOptions",
    "RateLimit",
    "RateLimitDuration",
    "RetryAfterException",
    "RunCancelledError",
    "RunEventListener",
    "RunFilter",
    "RunStatus",
    "ScheduleTriggerWorkflowOptions",
    "ScheduledRunStatus",
    "ScheduledWorkflows",
    "ScheduledWorkflowsBulkDeleteResponse",
    "ScheduledWorkflowsBulkError",
    "ScheduledWorkflowsBulkUpdateItem",
    "ScheduledWorkflowsBulkUpdateResponse",
    "ScheduledWorkflowsList",
    "ScheduledWorkflowsMethod",
    "ScheduledWorkflowsOrderByField",
    "SleepCondition",
    "SlotType",
    "Standalone",
    "StatusBasedIdempotencyConfig",
    "StepRunEvent",
    "StepRunEventType",
    "StickyStrategy",
    "SyncWaitInAsyncTaskError",
    "TTLBasedIdempotencyConfig",
    "Task",
    "TaskDefaults",
    "TaskRunError",
    "TaskRunRef",
    "TenacityConfig",
    "TriggerOutcomeUnknownError",
    "TriggerWorkflowOptions",
    "UserEventCondition",
    "V1Event",
    "V1EventList",
    "V1Filter",
    "V1FilterList",
    "V1TaskStatus",
    "V1UpdateFilterRequest",
    "Worker",
    "WorkerContext",
    "WorkerLabel",
    "WorkerLabelComparator",
    "WorkerList",
    "WorkerStartOptions",
    "WorkerStatus",
    "Workflow",
    "WorkflowConfig",
    "WorkflowList",
    "WorkflowRunEventType",
    "WorkflowRunOrderByDirection",
    "WorkflowRunRef",
    "WorkflowRunStatus",
    "WorkflowRunTriggerConfig",
    "WorkflowVersion",
    "is_in_hatchet_serialization_context",
    "or_",
    "remove_null_unicode_character",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'hatchet' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

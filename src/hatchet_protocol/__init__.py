"""The wire protocol: messages, enums and services, generated from protocol/proto.

One module per .proto file (`dispatcher`, `events`, `workflows`, `v1_dispatcher`,
`v1_workflows`, `v1_condition`, `v1_trigger`, `timestamp`, ...) holds message classes and
enums; `services` lists all gRPC methods; `times` converts timestamps.

>>> from hatchet_protocol.dispatcher import StepActionEvent, StepActionEventType
>>> event = StepActionEvent(event_type=StepActionEventType.COMPLETED)
>>> event.event_type == StepActionEventType.COMPLETED
True
"""

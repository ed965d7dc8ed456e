"""Every gRPC method of the protocol, read from the descriptors.

Server and client build their handlers and stubs from this table:

>>> SERVICES["v1.V1Dispatcher"].methods["DurableTask"].path
'/v1.V1Dispatcher/DurableTask'
>>> METHODS["/Dispatcher/ListenV2"].server_streaming
True
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message

from hatchet_protocol._pool import file_descriptors, message_class


class MethodSpec(NamedTuple):
    name: str
    path: str
    request: type[Message]
    response: type[Message]
    client_streaming: bool
    server_streaming: bool


class ServiceSpec(NamedTuple):
    name: str  # with its package, as on the wire
    methods: Mapping[str, MethodSpec]


def _method(service: ServiceDescriptor, method: MethodDescriptor) -> MethodSpec:
    return MethodSpec(
        name=method.name,
        path=f"/{service.full_name}/{method.name}",
        request=message_class(method.input_type.full_name),
        response=message_class(method.output_type.full_name),
        client_streaming=method.client_streaming,
        server_streaming=method.server_streaming,
    )


def _service(service: ServiceDescriptor) -> ServiceSpec:
    methods = {method.name: _method(service, method) for method in service.methods}
    return ServiceSpec(service.full_name, MappingProxyType(methods))


SERVICES: Mapping[str, ServiceSpec] = MappingProxyType(
    {
        service.full_name: _service(service)
        for file in file_descriptors()
        for service in file.services_by_name.values()
    }
)

METHODS: Mapping[str, MethodSpec] = MappingProxyType(
    {method.path: method for service in SERVICES.values() for method in service.methods.values()}
)

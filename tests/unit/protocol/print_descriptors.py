"""Print all descriptors of one package as JSON: `python print_descriptors.py ours|official`.

Run in a process of its own, by the Python that has the package. Every fact is one entry
whose key names its place, so that two prints can be compared by key.
"""

import importlib
import json
import sys

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)

OFFICIAL_MODULES = (
    "dispatcher_pb2",
    "events_pb2",
    "workflows_pb2",
    "v1.dispatcher_pb2",
    "v1.workflows_pb2",
    "v1.shared.condition_pb2",
    "v1.shared.trigger_pb2",
)


def official_files() -> list[FileDescriptor]:
    modules = (
        importlib.import_module(f"hatchet_sdk.contracts.{name}") for name in OFFICIAL_MODULES
    )
    return [module.DESCRIPTOR for module in modules]


def our_files() -> list[FileDescriptor]:
    from hatchet_protocol._pool import file_descriptors

    return file_descriptors()


def field_fact(field: FieldDescriptorProto, message: DescriptorProto) -> dict[str, object]:
    group = ""
    if field.HasField("oneof_index") and not field.proto3_optional:
        group = message.oneof_decl[field.oneof_index].name
    return {
        "number": field.number,
        "type": FieldDescriptorProto.Type.Name(field.type),
        "type_name": field.type_name,
        "label": FieldDescriptorProto.Label.Name(field.label),
        "optional": field.proto3_optional,
        "oneof": group,
        "packed": field.options.packed if field.options.HasField("packed") else None,
        "default": field.default_value,
    }


def message_facts(message: DescriptorProto, place: str) -> dict[str, object]:
    facts: dict[str, object] = {
        place: {
            "map_entry": message.options.map_entry,
            "reserved": [[part.start, part.end] for part in message.reserved_range],
            "reserved_names": list(message.reserved_name),
        }
    }
    for field in message.field:
        facts[f"{place}.{field.name}"] = field_fact(field, message)
    for enum in message.enum_type:
        facts[f"{place}.{enum.name}"] = {value.name: value.number for value in enum.value}
    for nested in message.nested_type:
        facts |= message_facts(nested, f"{place}.{nested.name}")
    return facts


def file_facts(descriptor: FileDescriptor) -> dict[str, object]:
    file = FileDescriptorProto()
    descriptor.CopyToProto(file)
    facts: dict[str, object] = {
        file.name: {
            "package": file.package,
            "syntax": file.syntax,
            "imports": sorted(file.dependency),
        }
    }
    for message in file.message_type:
        facts |= message_facts(message, f"{file.name}: {message.name}")
    for enum in file.enum_type:
        facts[f"{file.name}: {enum.name}"] = {value.name: value.number for value in enum.value}
    for service in file.service:
        for method in service.method:
            facts[f"{file.name}: {service.name}/{method.name}"] = {
                "request": method.input_type,
                "response": method.output_type,
                "client_streaming": method.client_streaming,
                "server_streaming": method.server_streaming,
            }
    return facts


def main() -> None:
    files = official_files() if sys.argv[1] == "official" else our_files()
    facts: dict[str, object] = {}
    for descriptor in files:
        facts |= file_facts(descriptor)
    json.dump(facts, sys.stdout)


if __name__ == "__main__":
    main()

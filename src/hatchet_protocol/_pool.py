"""The private descriptor pool: home of every message class of this package.

The official SDK declares messages of the same full names in protobuf's default pool,
which refuses a second definition. With a pool of our own both can live in one process.
The price: classes of the two pools are unrelated, so a message from elsewhere (also the
`Timestamp` of `google.protobuf.timestamp_pb2`) is not accepted as a field value here.
"""

from pathlib import Path
from typing import Any

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

_POOL: Any = DescriptorPool()  # its published types are incomplete


def _load() -> list[str]:
    content = Path(__file__).with_name("descriptors.binpb").read_bytes()
    names = []
    for file in FileDescriptorSet.FromString(content).file:  # imported files come first
        _POOL.AddSerializedFile(file.SerializeToString())
        names.append(file.name)
    return names


_FILE_NAMES = _load()


def message_class(full_name: str, module: str | None = None) -> type[Message]:
    """The class of a message, the same one at each call. `module` is where it is exposed."""
    cls: type[Message] = GetMessageClass(_POOL.FindMessageTypeByName(full_name))
    if module is not None:
        cls.__module__ = module
    return cls


def file_descriptors() -> list[FileDescriptor]:
    """All files of the protocol, imported ones before those which import them."""
    return [_POOL.FindFileByName(name) for name in _FILE_NAMES]

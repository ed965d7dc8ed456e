"""A worker that speaks the session protocol frame by frame, so that a test may send what no SDK
would: the same frame twice, frames in another order, reports of attempts that are over."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Self

import grpc

from hatchet_protocol.session import (
    Assignment,
    ClientFrame,
    EngineFrame,
    HeldTask,
    RegisterWorker,
    Report,
    ReportKind,
)

CONNECT = "/hatchet.session.v1.Session/Connect"
WAIT_S = 20.0


class RawSession:
    """One stream. `with` ends it without a goodbye."""

    def __init__(self, address: str, token: str) -> None:
        self.assigned: dict[tuple[bytes, int], Assignment] = {}
        self.deliveries: list[tuple[bytes, int]] = []
        self.worker_id = b""
        self.resumed = False
        self.acked_seq = 0
        self._frames: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._ended = False
        self._channel = grpc.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)])
        call = self._channel.stream_stream(CONNECT)
        self._call = call(
            iter(self._frames.get, None), metadata=[("authorization", f"bearer {token}")]
        )
        self._reader = threading.Thread(target=self._read, name="raw session", daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._frames.put(None)
        self._call.cancel()
        self._reader.join(WAIT_S)
        self._channel.close()

    def join(
        self,
        action: str,
        slots: int,
        resume: bytes = b"",
        held: Sequence[tuple[bytes, int]] = (),
    ) -> None:
        """Say hello, register or resume, and wait for the answer."""
        register = RegisterWorker(
            name="raw",
            actions=[action],
            slots={"default": slots},
            resume_worker_id=resume,
            held=[HeldTask(task_id=id, attempt=attempt) for id, attempt in held],
        )
        frame = ClientFrame(register_worker=register)
        frame.hello.sdk_version = "0"
        self.send(frame)
        self.wait(lambda: self.worker_id, "registered")

    def send(self, frame: ClientFrame) -> None:
        self._frames.put(frame.SerializeToString())

    def wait(self, condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + WAIT_S
        with self._changed:
            while not condition():
                assert not self._ended, f"the stream ended before: {what}"
                left = deadline - time.monotonic()
                assert left > 0, f"not within {WAIT_S:g} s: {what}"
                self._changed.wait(left)

    def wait_assigned(self, count: int, attempt: int) -> list[bytes]:
        """Ids of the tasks of which this attempt is here, once there are so many."""

        def found() -> list[bytes]:
            return [task_id for task_id, number in self.assigned if number == attempt]

        self.wait(lambda: len(found()) >= count, f"{count} assignments of attempt {attempt}")
        return found()

    def _read(self) -> None:
        try:
            for raw in self._messages():
                self._take(EngineFrame.FromString(raw))
        except grpc.RpcError:
            pass  # how it ends is told by what was missing
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _messages(self) -> Iterator[bytes]:
        yield from self._call

    def _take(self, frame: EngineFrame) -> None:
        with self._changed:
            if frame.HasField("worker_registered"):
                assert not frame.worker_registered.HasField("error"), frame
                self.worker_id = frame.worker_registered.worker_id
                self.resumed = frame.worker_registered.resumed
            for one in frame.assignments:
                self.deliveries.append((one.task_id, one.attempt))
                self.assigned[one.task_id, one.attempt] = one
            self.acked_seq = max(self.acked_seq, frame.acked_seq)
            self._changed.notify_all()


def report(task_id: bytes, attempt: int, kind: ReportKind, payload: str) -> Report:
    return Report(task_id=task_id, attempt=attempt, kind=kind, payload=payload)


def reports(seq: int, *entries: Report) -> ClientFrame:
    return ClientFrame(reports=entries, seq=seq)

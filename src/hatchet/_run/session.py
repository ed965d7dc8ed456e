"""The session: one stream to the engine that carries everything hot, kept alive for ever.

Runs on the I/O thread. The methods under "any thread" only put items into the outbox and return
a `Reply`; the writer joins what has gathered into one frame while the previous frame is on its
way, and the reader settles replies. When the stream breaks:

- reports and chunks of streams stay until acknowledged and are sent again; a worker resumes its id
  and tells what it holds; wishes for results are repeated;
- triggers that are unanswered are sent again, marked as repeats, so that the engine creates no run
  twice; only when their time is over before, they fail, with `TriggerOutcomeUnknownError` if they
  had been written.
"""

import asyncio
import contextlib
import itertools
import logging
import os
import time
import weakref
from typing import TYPE_CHECKING, Any

from hatchet._core.session import TriggerItemData
from hatchet._run.backlog import ChunkBacklog
from hatchet._run.failures import (
    REFUSALS,
    as_failure,
    never_answered,
    pauses,
    refusal,
    too_large,
    unavailable,
)
from hatchet._run.io_thread import IoThread
from hatchet._run.ledger import Ledger
from hatchet._run.outbox import (
    Chunk,
    Item,
    Join,
    Kept,
    Lossy,
    Outbox,
    Report,
    TaskCall,
    TaskKey,
    Trigger,
    Unwatch,
    Watch,
)
from hatchet._run.reply import Gathering, Reply, Wakeups
from hatchet._run.worker_port import WorkerPort
from hatchet._version import __version__
from hatchet.exceptions import (
    ConnectionLostError,
    EngineUnavailableError,
    TriggerOutcomeUnknownError,
)

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from hatchet._core.session import Received, RunOutcome, Welcomed
    from hatchet._run.events import EventFeed
    from hatchet._wire.channel import CallFailure, StreamCall
    from hatchet.config import ClientConfig

logger = logging.getLogger("hatchet")

WELCOME_TIMEOUT_S = 10.0
REFUSED_BACKOFF_S = 30.0
TICK_S = 0.25
STEADY_S = 1.0  # a stream that ends sooner did not help: the next pause is longer
REJOIN_S = 1.0
FIRST_FRAME_BYTES = 4 << 20  # until the engine has told its own limit
SUBSCRIBE_IDS_PER_PIECE = 10_000


class Session:
    """One client's connection to the engine."""

    def __init__(self, config: "ClientConfig", io: IoThread, client_name: str = "") -> None:
        self._config = config
        self._io = io
        self._client_name = client_name
        self._outbox = Outbox(io.loop, self._woken)
        self._instance = os.urandom(16)
        self._request_ids = itertools.count(1)
        self._wakeups = Wakeups()
        self._ledger = Ledger(self._wakeups)
        self._flushed: list[Reply[None]] = []
        self._worker: WorkerPort | None = None
        self._runner: asyncio.Task[None] | None = None
        self._channel: Any = None
        self._writer_wake: asyncio.Event | None = None
        self._tick_handle: asyncio.TimerHandle | None = None
        self._next_seq = 1
        self._last_write = 0.0
        self._writing = False
        self._serving = False  # from the hello on
        self._hurry = asyncio.Event()
        self._closing = False
        self.log_backlog = 0
        self.chunks = ChunkBacklog()
        self._feeds: weakref.WeakSet[EventFeed] = weakref.WeakSet()
        self.welcome: Welcomed | None = None
        self.last_failure: str = ""

    # ------------------------------------------------------------------ any thread

    def trigger(self, items: list[TriggerItemData], want_results: bool) -> Trigger:
        """Ask for runs; all items of one call are created or none."""
        from hatchet._wire import frames

        request_id = next(self._request_ids)
        # Not of `random`: after a fork that would give both processes the same numbers.
        origin = int.from_bytes(os.urandom(8)) >> 2 | 1
        data = frames.trigger(request_id, items, want_results, origin)
        deadline = time.monotonic() + self._config.trigger_timeout_s
        trigger = Trigger(request_id, data, len(items), deadline, want_results)
        self._outbox.put(trigger)
        return trigger

    def watch(self, run_ids: list[bytes]) -> Watch:
        """Ask for the results of runs, each as soon as it is final."""
        watch = Watch(run_ids, time.monotonic() + self._config.trigger_timeout_s)
        self._outbox.put(watch)
        return watch

    def unwatch(self, run_ids: list[bytes], gathering: "Gathering[RunOutcome]") -> None:
        self._outbox.put(Unwatch(run_ids, gathering))

    def report(self, key: TaskKey, data: bytes) -> None:
        self._outbox.put(Report(key, data))

    def send(self, data: bytes) -> None:
        """Write a piece once; it is lost if the stream breaks."""
        self._outbox.put(Lossy(data, is_log=False))

    def send_log(self, data: bytes) -> bool:
        """Like `send`, bounded by `log_queue_size`; False if the line was dropped."""
        if self.log_backlog >= self._config.log_queue_size:
            return False
        self.log_backlog += 1
        self._outbox.put(Lossy(data, is_log=True))
        return True

    def put_chunk(self, data: bytes, size: int) -> None:
        """Send a chunk for which `chunks` has given room, until it is acknowledged."""
        self._outbox.put(Chunk(data, size))

    def extend_timeout(self, task_id: bytes, by_ms: int) -> Reply[int]:
        from hatchet._wire import frames

        request_id = next(self._request_ids)
        return self._call(request_id, frames.extend_timeout(request_id, task_id, by_ms))

    def release_slot(self, task_id: bytes) -> Reply[int]:
        from hatchet._wire import frames

        request_id = next(self._request_ids)
        return self._call(request_id, frames.release_slot(request_id, task_id))

    def _call(self, request_id: int, data: bytes) -> Reply[int]:
        call = TaskCall(request_id, data, time.monotonic() + self._config.trigger_timeout_s)
        self._outbox.put(call)
        return call.reply

    def attach(self, worker: WorkerPort) -> None:
        """Make this the stream of a worker. At most one worker per session."""
        self._worker = worker
        self._outbox.put(Join())
        self._io.loop.call_soon_threadsafe(self._hurry.set)

    def detach(self) -> None:
        self._worker = None
        self._io.loop.call_soon_threadsafe(self._hurry.set)

    @property
    def has_worker(self) -> bool:
        return self._worker is not None

    def flush(self) -> Reply[None]:
        """Answered when everything is written and every report is acknowledged."""
        reply: Reply[None] = Reply()
        self._io.loop.call_soon_threadsafe(self._add_flush, reply)
        return reply

    async def unary(
        self, path: str, request: Any, timeout_s: float | None = None, *, once: bool = False
    ) -> Any:
        """A call of the official protocol, from any event loop.

        `once`: the call must not be done twice; if it is in doubt whether the engine did it,
        `TriggerOutcomeUnknownError` is raised.
        """
        call = self._unary(path, request, timeout_s, once)
        return await asyncio.wrap_future(self._io.submit(call))

    def unary_sync(
        self, path: str, request: Any, timeout_s: float | None = None, *, once: bool = False
    ) -> Any:
        return self._io.submit(self._unary(path, request, timeout_s, once)).result()

    def subscribe_events(self, run_id: str, metadata: tuple[str, str] | None) -> "EventFeed":
        """What happens in a run, or in all runs with this pair of metadata."""
        from hatchet._run.events import EventFeed

        feed = EventFeed(self._io, self._config, self._open_channel, run_id, metadata)
        self._feeds.add(feed)
        return feed

    def close(self, timeout_s: float = 2.0) -> None:
        """Write what is left and end the stream."""
        self._io.submit(self._close(timeout_s)).result(timeout_s + 1)

    # ------------------------------------------------------------------ I/O thread

    def _unary(
        self, path: str, request: Any, timeout_s: float | None, once: bool
    ) -> "Coroutine[Any, Any, Any]":
        from hatchet._run.calls import unary

        ways = (self._open_channel, self._drop_channel)
        return unary(self._config, *ways, path, request, timeout_s, once)

    def _open_channel(self) -> Any:
        if self._channel is None:
            from hatchet._wire.channel import open_channel

            self._channel = open_channel(self._config)
        return self._channel

    async def _drop_channel(self) -> None:
        """After a failed attempt: a fresh channel connects at once, an old one waits. While the
        session connects or is connected, only its own failure counts."""
        if self._serving:
            return
        channel, self._channel = self._channel, None
        if channel is not None:
            await channel.close()

    @property
    def welcome_is_live(self) -> bool:
        return self._writer_wake is not None

    def _woken(self) -> None:
        """The outbox has something and the writer slept, or there is no connection."""
        if self._writer_wake is not None:
            self._writer_wake.set()
        elif self._runner is None or self._runner.done():
            self._runner = self._io.loop.create_task(self._run())
        self._arm_tick()

    def _wanted(self) -> bool:
        return not self._closing and bool(
            self._worker or not self._outbox.settled or not self._ledger.is_empty
        )

    async def _run(self) -> None:
        """Connect, serve, reconnect, as long as somebody needs it."""
        waits = pauses()
        while self._wanted() or not (self._closing or self._outbox.sleep()):
            welcomed, began = self.welcome, time.monotonic()
            try:
                failure = await self._serve()
            except Exception as error:  # a defect here must not end the worker
                logger.exception("session failed")
                failure = as_failure(error)
            if self._closing:
                break
            if self.welcome is not welcomed and time.monotonic() - began >= STEADY_S:
                waits = pauses()
            self._broken(failure)
            if not self._wanted():
                continue
            refused = failure.code in REFUSALS
            pause = REFUSED_BACKOFF_S if refused else next(waits)
            self._log_failure(failure, pause)
            await self._drop_channel()
            self._hurry.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._hurry.wait()

    async def _serve(self) -> "CallFailure":
        """One stream, from hello to its end; how it ended."""
        from hatchet._wire import channel as wire
        from hatchet._wire import frames

        call = wire.connect(self._open_channel(), self._config.token)
        tasks: list[asyncio.Task[None]] = []
        self._serving = True
        try:
            async with asyncio.timeout(WELCOME_TIMEOUT_S):
                await call.write(frames.hello(__version__, self._client_name, self._instance))
                first = await call.read()
            if wire.is_end(first):
                return await wire.ended(call)
            self._open(frames.decode(first))  # type: ignore[arg-type]
            tasks = [asyncio.create_task(self._write(call)), asyncio.create_task(self._read(call))]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done() and (error := task.exception()) is not None:
                    raise error
            return await wire.ended(call)
        except TimeoutError:
            return wire.CallFailure("UNAVAILABLE", "the server did not answer")
        except Exception as error:
            failure = wire.failure(error)
            if failure is None and call.done():
                failure = await wire.ended(call)
            if failure is None:
                raise
            return failure
        finally:
            self._serving = False
            self._writer_wake = None
            self._writing = False
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            call.cancel()

    def _open(self, received: "Received") -> None:
        """The stream is ours: what must be repeated goes to the front of the outbox."""
        from hatchet._wire import frames

        if received.welcome is None:
            raise ConnectionLostError("the first frame of the engine was no welcome")
        self.welcome = received.welcome
        self._next_seq = 1
        self._writer_wake = asyncio.Event()
        self._outbox.rewind()
        self._outbox.filter(lambda item: not isinstance(item, Join))
        front = self._outbox.items
        ids = self._ledger.watched
        for start in range(0, len(ids), SUBSCRIBE_IDS_PER_PIECE):
            piece = frames.subscribe(ids[start : start + SUBSCRIBE_IDS_PER_PIECE])
            front.appendleft(Lossy(piece, is_log=False))
        if self._worker is not None:
            front.appendleft(Join())
        self._take(received)
        self._beat()

    def _beat(self) -> None:
        """A heartbeat for each interval in which nothing else was written."""
        if self._writer_wake is None or self.welcome is None:
            return
        interval_s = max(self.welcome.heartbeat_interval_ms, 100) / 1000
        loop = self._io.loop
        if loop.time() - self._last_write >= interval_s * 0.9:
            from hatchet._wire import frames

            self._outbox.put(Lossy(frames.heartbeat(), is_log=False))
        loop.call_later(interval_s, self._beat_of, self._writer_wake)

    def _beat_of(self, stream: asyncio.Event) -> None:
        if stream is self._writer_wake:  # not of an earlier stream
            self._beat()

    async def _write(self, call: "StreamCall") -> None:
        wake = self._writer_wake
        assert wake is not None
        loop = self._io.loop
        while True:
            frame = self._gather()
            if frame:
                self._last_write = loop.time()
                self._writing = True
                self._arm_tick()
                await call.write(frame)
                self._writing = False
                self._check_settled()
                self._wakeups.flush()
            elif self._outbox.sleep():
                await wake.wait()
                wake.clear()

    def _gather(self) -> bytes:
        """Join what has gathered, up to the size of a frame."""
        from hatchet._wire import frames

        limit = self.welcome.max_frame_bytes if self.welcome else FIRST_FRAME_BYTES
        limit = (limit or FIRST_FRAME_BYTES) - 64
        items = self._outbox.items
        parts: list[bytes] = []
        kept: list[Kept] = []
        size = 0
        while items:
            item = items[0]
            data = self._encode(item)
            if parts and size + len(data) > limit:
                break
            items.popleft()
            if data and self._admit(item, len(data), limit):
                parts.append(data)
                size += len(data)
                if isinstance(item, (Report, Chunk)):
                    kept.append(item)
        if kept:
            self._outbox.sent(self._next_seq, kept)
            parts.append(frames.sequence(self._next_seq))
            self._next_seq += 1
        self._wakeups.flush()
        return b"".join(parts)

    def _admit(self, item: Item, size: int, limit: int) -> bool:
        """Whether an item goes into the frame; note what it waits for."""
        if isinstance(item, Lossy):
            self.log_backlog -= item.is_log
        elif isinstance(item, Trigger):
            if size > limit and item.written_at is None:
                self._ledger.fail(item, too_large(size, limit))
                return False
            if item.ids.done:  # its caller's patience has ended
                return False
            item.written()
            self._ledger.wrote(item)
        elif isinstance(item, TaskCall):
            if item.reply.done:
                return False
            self._ledger.wrote(item)
        return True

    def _encode(self, item: Any) -> bytes:
        from hatchet._wire import frames

        if isinstance(item, Watch):
            return frames.subscribe(self._ledger.add_watch(item))
        if isinstance(item, Unwatch):
            ids = self._ledger.drop_watch(item)
            return frames.unsubscribe(ids) if ids else b""
        if isinstance(item, Join):
            worker = self._worker
            if worker is None:
                return b""
            return frames.register_worker(worker.data, worker.worker_id_bytes, worker.held())
        if isinstance(item, Chunk) and item.again:
            return frames.sent_again(item.data)
        if isinstance(item, Trigger) and item.written_at is not None:
            after_ms = int((time.monotonic() - item.written_at) * 1000)
            return frames.repeated_trigger(item.data, after_ms)
        data: bytes = item.data
        return data

    async def _read(self, call: "StreamCall") -> None:
        from hatchet._wire import channel as wire
        from hatchet._wire import frames

        while not wire.is_end(data := await call.read()):
            self._take(frames.decode(data))  # type: ignore[arg-type]

    def _take(self, received: "Received") -> None:
        wakeups = self._wakeups
        self._ledger.answer(received)
        worker = self._worker
        if received.acked_seq:
            self._forget(self._outbox.acked(received.acked_seq))
        if worker is not None:
            if received.registered is not None:
                worker.registered(received.registered, wakeups)
                if received.registered.error is not None:
                    self._io.loop.call_later(REJOIN_S, self._rejoin)
            if received.assignments or received.batches:
                worker.deliver(received.assignments, received.batches)
            if received.cancellations:
                worker.cancel(received.cancellations)
        self._check_settled()
        wakeups.flush()

    def _forget(self, kept: list[Kept]) -> None:
        """Reports and chunks have arrived, or are given up."""
        keys = [item.key for item in kept if isinstance(item, Report)]
        if keys and self._worker is not None:
            self._worker.acknowledged(keys)
        sizes = [item.size for item in kept if isinstance(item, Chunk)]
        if sizes:
            self.chunks.leave(sizes, self._wakeups)

    def _rejoin(self) -> None:
        """The engine did not take the worker back (yet): ask again."""
        if self._worker is not None and self.welcome_is_live:
            self._outbox.put(Join())

    # ------------------------------------------------------------------ failure

    def _broken(self, failure: "CallFailure") -> None:
        """The stream ended: settle what can not be carried over to the next one."""
        where = f"{self._config.host_port}: {failure.message or 'stream ended'} ({failure.code})"
        self.last_failure = f"{failure.message or 'stream ended'} ({failure.code})"
        unanswered = self._ledger.broken(
            ConnectionLostError(f"the connection to {where} broke before the answer")
        )
        self._outbox.items.extendleft(reversed(unanswered))
        if failure.code in REFUSALS:
            self._refuse_all(refusal(failure, self._config.host_port))
        if self._worker is not None:
            self._worker.disconnected()
        self._wakeups.flush()
        self._outbox.sleep()
        self._arm_tick()

    def _refuse_all(self, error: Exception) -> None:
        """The engine refuses this client: whoever waits hears why."""
        kept = self._worker is not None

        def keep(item: Item) -> bool:
            if isinstance(item, (Trigger, TaskCall, Watch)):
                self._ledger.fail(item, self._gave_up(item, error))
                return False
            if isinstance(item, Chunk) and not kept:
                self._forget([item])
            return kept and not isinstance(item, (Unwatch, Join))

        self._outbox.filter(keep)
        self._ledger.fail_watches(error)
        if self._worker is not None:
            self._worker.refused(error, self._wakeups)

    def _add_flush(self, reply: Reply[None]) -> None:
        self._flushed.append(reply)
        self._check_settled()
        self._wakeups.flush()

    def _check_settled(self) -> None:
        if self._flushed and self._outbox.settled and not self._writing:
            for reply in self._flushed:
                reply.settle(self._wakeups)
            self._flushed.clear()

    def _arm_tick(self) -> None:
        if self._tick_handle is None:
            self._tick_handle = self._io.loop.call_later(TICK_S, self._tick)

    def _tick(self) -> None:
        """End the patience of those who wait too long. Runs only while somebody waits."""
        self._tick_handle = None
        now = time.monotonic()
        text = f"{self._config.host_port} did not answer in {self._config.trigger_timeout_s:g} s"
        self._ledger.expire(now, TriggerOutcomeUnknownError(text), ConnectionLostError(text))
        waiting = self._tick_unsent(now)
        self._wakeups.flush()
        if waiting or self._writing or self._ledger.awaits_answers:
            self._arm_tick()

    def _tick_unsent(self, now: float) -> bool:
        """Fail what has waited too long for a connection; whether something still waits."""
        waiting = False

        def patient(item: Item) -> bool:
            nonlocal waiting
            if not isinstance(item, (Trigger, TaskCall, Watch)):
                return True
            if item.deadline > now:
                waiting = True
                return True
            self._ledger.fail(item, self._gave_up(item, self.unavailable()))
            return False

        self._outbox.filter(patient)
        return waiting

    def _gave_up(self, item: Item, error: Exception) -> Exception:
        """The error for whoever waits, if it is not sent (again): a trigger that was written before
        is in doubt."""
        in_doubt = isinstance(item, Trigger) and item.written_at is not None
        return never_answered(self._config.host_port, self.last_failure) if in_doubt else error

    def unavailable(self) -> EngineUnavailableError:
        """The error for those who waited too long for a connection."""
        return unavailable(self._config.host_port, self.last_failure)

    def _log_failure(self, failure: "CallFailure", pause_s: float) -> None:
        logger.log(
            logging.DEBUG if self._worker is None else logging.WARNING,
            "no stream to the engine at %s: %s (%s); trying again in %.1f s, running tasks go on",
            self._config.host_port,
            failure.message or "stream ended",
            failure.code,
            pause_s,
        )

    async def _close(self, timeout_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            if self.welcome_is_live:
                await self.flush().aio(timeout_s)
        self._closing = True
        for feed in list(self._feeds):
            feed.end()
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.gather(self._runner, return_exceptions=True)
        if self._tick_handle is not None:
            self._tick_handle.cancel()
        channel, self._channel = self._channel, None
        if channel is not None:
            await channel.close()

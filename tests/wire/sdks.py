"""The official SDKs under test: each with its worker program and its client program.

Both programs of an SDK use nothing but that SDK, run in its own environment, and speak with the
tests through their standard input and output:

- a worker prints `event {…}` lines from inside its tasks: which task, for which run, which attempt;
- a client reads `{"id", "call", "arguments"}` lines and answers with `reply {…}` lines.

What the calls are named and what they return is the same for all SDKs, so that the tests are too.
"""

from __future__ import annotations

import itertools
import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.processes import LINE_TIMEOUT_S, Program
from tests.support.server import ROOT, Server

HERE = Path(__file__).parent
POLL_S = 0.1
MISSING = "{what} is missing: `make test` installs it (this suite is started by `make test`)"


class SdkError(Exception):
    """What an SDK raised in its client program."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind
        self.text = text


class Call:
    """One call that a client program is busy with."""

    def __init__(self, program: Program, number: int) -> None:
        self._program = program
        self._pattern = rf'^reply {{"id": ?{number},'

    def result(self, timeout_s: float = LINE_TIMEOUT_S) -> Any:
        """What it returned; raises `SdkError` with what the SDK raised."""
        line = self._program.wait_for_line(self._pattern, timeout_s=timeout_s)
        reply = json.loads(line.removeprefix("reply "))
        if "error" in reply:
            raise SdkError(reply["error"]["kind"], reply["error"]["text"])
        return reply["result"]


class Client:
    """A client program that stays and takes calls, many at a time."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._numbers = itertools.count(1)

    def begin(self, call: str, /, **arguments: Any) -> Call:
        number = next(self._numbers)
        self.program.write_line(json.dumps({"id": number, "call": call, "arguments": arguments}))
        return Call(self.program, number)

    def call(self, call: str, /, *, timeout_s: float = LINE_TIMEOUT_S, **arguments: Any) -> Any:
        return self.begin(call, **arguments).result(timeout_s)

    # The calls every client program knows.

    def run(self, task: str, key: str, **options: Any) -> Any:
        """Trigger a task and wait for its output."""
        return self.begin_run(task, key, **options).result()

    def begin_run(
        self,
        task: str,
        key: str,
        *,
        metadata: Any = None,
        priority: int | None = None,
        **input: Any,
    ) -> Call:
        return self.begin(
            "run", task=task, input={"key": key, **input}, metadata=metadata, priority=priority
        )

    def start(
        self,
        task: str,
        key: str,
        *,
        metadata: Any = None,
        priority: int | None = None,
        **input: Any,
    ) -> str:
        """Trigger a task and return the id of the run."""
        run_id: str = self.call(
            "start", task=task, input={"key": key, **input}, metadata=metadata, priority=priority
        )
        return run_id

    def wait_status(self, run_id: str, status: str, *, timeout_s: float = 20.0) -> Any:
        """The run as the SDK's `runs` client sees it, once it has that status."""
        return self.wait_until(
            lambda: self.call("get", run_id=run_id),
            lambda run: run["status"] == status,
            f"run {run_id} is {status}",
            timeout_s,
        )

    def worker_status(self, worker: Worker) -> str | None:
        """The status of a worker as the SDK sees it; None if it is not listed."""
        for one in self.call("workers"):
            if one["name"] == worker.name:
                status: str | None = one["status"]
                return status
        return None

    def wait_worker(self, worker: Worker, *statuses: str | None, timeout_s: float = 40.0) -> None:
        """Return once the worker has one of these statuses."""
        self.wait_until(
            lambda: self.worker_status(worker),
            lambda status: status in statuses,
            f"{worker.name} is {statuses}",
            timeout_s,
        )

    @staticmethod
    def wait_until(ask: Any, good: Any, what: str, timeout_s: float = 20.0) -> Any:
        """Ask again and again until the answer is good; for what can only be asked for."""
        deadline = time.monotonic() + timeout_s
        while not good(answer := ask()):
            assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what}: {answer}"
            time.sleep(POLL_S)
        return answer


class Worker:
    """A worker program; `name` is the one it is listed under."""

    def __init__(self, program: Program, name: str, gates: Path) -> None:
        self.program = program
        self.name = name
        self._gates = gates

    def wait_event(
        self, key: str, kind: str, *, timeout_s: float = LINE_TIMEOUT_S, **fields: Any
    ) -> dict[str, Any]:
        """The first event of that kind that a task of the run with that key printed."""
        wanted = {"key": key, "kind": kind, **fields}
        # JSON is written with and without spaces.
        parts = "".join(f"(?=.*{json.dumps(k)}: ?{json.dumps(v)}[,}}])" for k, v in wanted.items())
        line = self.program.wait_for_line(f"^event {{{parts}", timeout_s=timeout_s)
        event: dict[str, Any] = json.loads(line.removeprefix("event "))
        return event

    def events(self, key: str, kind: str | None = None) -> list[dict[str, Any]]:
        """All events of the run with that key so far."""
        found = [
            json.loads(line.removeprefix("event "))
            for line in self.program.lines()
            if line.startswith("event ")
        ]
        return [e for e in found if e["key"] == key and kind in (None, e["kind"])]

    def open_gate(self, key: str, attempt: int | None = None) -> None:
        """Let the `hold` task with that key go on: all its attempts, or one."""
        (self._gates / (key if attempt is None else f"{key}.{attempt}")).touch()


@dataclass
class Sdk:
    """One SDK in one version."""

    name: str
    worker_command: Sequence[str | Path]
    client_command: Sequence[str | Path]
    needs: Path
    environ: Mapping[str, str] = field(default_factory=dict)

    def start_worker(self, server: Server, name: str, tasks: str, slots: int) -> Worker:
        """A worker that has begun to start. `tasks`: "all" or "narrow"."""
        gates = server.directory / "gates"
        gates.mkdir(exist_ok=True)
        command = [*self.worker_command, name, tasks, str(slots)]
        environ = {"WIRE_GATES": str(gates)}
        program = self._start(f"{self.name} {name}", command, server, environ)
        return Worker(program, self.namespaced(name), gates)

    def namespaced(self, name: str) -> str:
        """How a worker or workflow of that name is listed."""
        namespace = self.environ.get("HATCHET_CLIENT_NAMESPACE")
        return f"{namespace}_{name}" if namespace else name

    def start_client(self, server: Server) -> Client:
        program = self._start(f"{self.name} client", self.client_command, server, {})
        return Client(program)

    def _start(
        self, name: str, command: Sequence[str | Path], server: Server, environ: dict[str, str]
    ) -> Program:
        assert self.needs.exists(), MISSING.format(what=self.needs.relative_to(ROOT))
        working_directory = server.directory / "programs"
        working_directory.mkdir(exist_ok=True)
        return Program(
            name,
            command,
            environ={**server.client_environ(), **self.environ, **environ},
            cwd=working_directory,
        )


def _python(name: str, venv: str, environ: Mapping[str, str]) -> Sdk:
    python = ROOT / venv / "bin" / "python"
    programs = HERE / "python" / "programs"
    return Sdk(
        name=name,
        worker_command=[python, programs / "worker.py"],
        client_command=[python, programs / "client.py"],
        needs=ROOT / venv / ".stamp",
        environ=environ,
    )


PYTHON = _python("python", ".venv-official", {})
# With a namespace, so that both versions can work on one server.
PYTHON_OLD = _python("python-old", ".venv-official-old", {"HATCHET_CLIENT_NAMESPACE": "old"})
TYPESCRIPT = Sdk(
    name="typescript",
    worker_command=["node", HERE / "typescript" / "programs" / "worker.mjs"],
    client_command=["node", HERE / "typescript" / "programs" / "client.mjs"],
    needs=HERE / "typescript" / "node_modules" / ".stamp",
    environ={"HATCHET_CLIENT_NAMESPACE": "ts"},
)


def new_key() -> str:
    """A text by which the events of one run are told from all others."""
    return uuid.uuid4().hex

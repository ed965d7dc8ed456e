"""`hatchet demo`: the whole thing once, from an empty machine to a thousand results."""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from hatchet_cli import output
from hatchet_cli.ports import check_port
from hatchet_cli.processes import Child, first_to_end, own_command, wait_until
from hatchet_cli.profile import client_environ
from hatchet_cli.server import DataDir, GrpcPort, Host, HttpPort, load_settings

SERVER_READY_TIMEOUT_S = 60.0
REGISTER_TIMEOUT_S = 30.0
CHECK_INTERVAL_S = 0.05
BULK_RUNS_DEFAULT = 1_000
BULK_RUNS_MAX = 100_000
WORKFLOW_NAME = "greet"


def demo(
    data_dir: DataDir = None,
    host: Host = None,
    http_port: HttpPort = None,
    grpc_port: GrpcPort = None,
    count: Annotated[
        int, typer.Option(min=1, max=BULK_RUNS_MAX, help="Runs triggered in bulk.")
    ] = BULK_RUNS_DEFAULT,
    keep_serving: Annotated[
        bool, typer.Option("--keep-serving/--exit", help="Serve on until Ctrl-C, or end.")
    ] = True,
) -> None:
    """Start a server and an example worker, run one task and then a thousand, and keep serving.

    Example: hatchet demo --count 5000 --http-port 9080
    """
    settings = load_settings(data_dir=data_dir, host=host, http_port=http_port, grpc_port=grpc_port)
    check_port(settings.host, settings.http_port, "--http-port")
    check_port(settings.host, settings.grpc_port, "--grpc-port")
    example = find_example()
    console = Console(highlight=False)
    server = worker = None
    try:
        with console.status("starting Postgres and the engine") as status:
            began = time.monotonic()
            server = Child("server", own_command("server", *_flags(settings)))
            url = server.wait_ready(SERVER_READY_TIMEOUT_S).split()[1]
            # For the worker, and for ourselves: a token of another server may be set here.
            os.environ.update(client_environ())
            _done(console, f"server ready at {url}", began)

            status.update("starting the example worker")
            began = time.monotonic()
            worker = Child("worker", [sys.executable, str(example / "worker.py")])
            _wait_for_registration(worker)
            _done(console, f"worker registered the task {WORKFLOW_NAME!r}", began)
        _run_one(console, example)
        _run_many(console, example, count)
        console.print(
            f"\nOpen [bold link={url}]{url}[/], or look around in another terminal:\n"
            f"  {_command()} runs list\n"
            f"""  {_command()} run {WORKFLOW_NAME} --input '{{"name": "Ada"}}' --wait"""
        )
        if keep_serving:
            console.print("\nServing until Ctrl-C.")
            raise first_to_end(server, worker).failure()
    except KeyboardInterrupt:
        output.note("stopping")
    finally:
        for child in (worker, server):
            if child is not None:
                child.stop()


def find_example() -> Path:
    """The directory of the first example: in the checkout, else in the installed package."""
    here = Path(__file__).resolve().parent
    for place in (here.parents[1] / "examples" / "python" / "first", here / "first_example"):
        if (place / "worker.py").exists():
            return place
    raise output.CommandError("the example is missing from this installation")


def _flags(settings: Any) -> list[str]:
    return [
        f"--data-dir={settings.data_dir}",
        f"--host={settings.host}",
        f"--http-port={settings.http_port}",
        f"--grpc-port={settings.grpc_port}",
    ]


def _wait_for_registration(worker: Child) -> None:
    from hatchet_cli.api import Api

    def registered() -> bool:
        if not worker.running:
            raise worker.failure()
        rows = api.get(f"{api.tenant}/worker", {"statuses": ["ACTIVE"]}).get("rows") or []
        return any(f"{WORKFLOW_NAME}:" in action for row in rows for action in row["actions"])

    with Api() as api:
        wait_until(
            registered,
            timeout_s=REGISTER_TIMEOUT_S,
            interval_s=CHECK_INTERVAL_S,
            what="registering the example worker",
        )


def _run_one(console: Console, example: Path) -> None:
    tasks = _load(example / "tasks.py")
    first_ms, result = _timed_ms(lambda: tasks.greet.run(tasks.Person(name="Ada")))
    again_ms, _ = _timed_ms(lambda: tasks.greet.run(tasks.Person(name="Ada")))
    console.print(
        f"[green]✓[/] one task: {escape(repr(result))} "
        f"[dim]{first_ms:.0f} ms with connecting, {again_ms:.1f} ms the next time[/]"
    )


def _timed_ms(call: Callable[[], object]) -> tuple[float, object]:
    began = time.monotonic()
    result = call()
    return (time.monotonic() - began) * 1_000, result


def _run_many(console: Console, example: Path, count: int) -> None:
    tasks = _load(example / "tasks.py")
    items = [
        tasks.greet.create_bulk_run_item(tasks.Person(name=f"number {number}"))
        for number in range(1, count + 1)
    ]
    with console.status(f"{count:,} tasks in bulk"):
        began = time.monotonic()
        results = tasks.greet.run_many(items)
        took_s = time.monotonic() - began
    console.print(
        f"[green]✓[/] {count:,} tasks: all results in {took_s:.2f} s, "
        f"[bold]{count / took_s:,.0f} tasks/s[/]; the last: {escape(repr(results[-1]))}"
    )


def _load(path: Path) -> ModuleType:
    """The module in the file `path`; loaded once."""
    name = f"hatchet_example_{path.stem}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise output.CommandError(f"cannot load the example {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _done(console: Console, what: str, began: float) -> None:
    console.print(f"[green]✓[/] {escape(what)} [dim]{time.monotonic() - began:.1f} s[/]")


def _command() -> str:
    """How to call this command from the same place."""
    program = Path(sys.argv[0])
    if program.name != "hatchet":
        return "hatchet"
    try:
        shown = program.resolve().relative_to(Path.cwd())
    except ValueError:
        return "hatchet"
    return str(shown) if os.sep in str(shown) else "hatchet"

"""The tasks of the Procrastinate rows, and their worker when run as a program."""

import asyncio
import os
import socket

import procrastinate

CONCURRENCY = 10

app = procrastinate.App(
    connector=procrastinate.PsycopgConnector(conninfo=os.environ["BENCH_DATABASE"])
)
_socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


@app.task(name="noop")
async def noop() -> None:
    pass


@app.task(name="ping")
async def ping(port: int) -> None:
    """Tell the caller that the task runs: Procrastinate keeps no results to wait for."""
    _socket.sendto(b"ran", ("127.0.0.1", port))


async def work() -> None:
    async with app.open_async():
        await app.run_worker_async(concurrency=CONCURRENCY)


if __name__ == "__main__":
    # The tasks must belong to the module that callers import, not to `__main__`.
    import procrastinate_tasks

    asyncio.run(procrastinate_tasks.work())

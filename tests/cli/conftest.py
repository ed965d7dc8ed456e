"""Run commands in this process, against a stand-in for the REST API."""

from __future__ import annotations

import base64
import json
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from hatchet_cli.main import main

TENANT = "707d0855-80ab-4e1f-a156-f1c4546cbf52"


def make_token(server_url: str = "http://127.0.0.1:1", grpc: str = "127.0.0.1:2") -> str:
    """A token that can be read but not verified."""
    claims = {"sub": TENANT, "server_url": server_url, "grpc_broadcast_address": grpc}
    parts = (json.dumps({"alg": "none"}), json.dumps(claims), "signature")
    return ".".join(base64.urlsafe_b64encode(p.encode()).decode().rstrip("=") for p in parts)


@dataclass
class Result:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Hatchet = Callable[..., Result]


@pytest.fixture
def hatchet(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Hatchet:
    """Call it with the arguments of the `hatchet` command."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*arguments: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["hatchet", *arguments])
        capfd.readouterr()
        try:
            main()
            code: Any = 0
        except SystemExit as end:
            code = end.code or 0
        captured = capfd.readouterr()
        return Result(int(code), captured.out, captured.err)

    return run


@dataclass
class Call:
    method: str
    path: str
    query: dict[str, list[str]]
    body: Any
    authorization: str | None


@dataclass
class FakeApi:
    """Answers by (method, path); notes every call. Give it a list to answer one after the other."""

    url: str
    answers: dict[tuple[str, str], Any] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)

    def answer(self, call: Call) -> tuple[int, Any]:
        self.calls.append(call)
        found = self.answers.get((call.method, call.path))
        if isinstance(found, list) and found and isinstance(found[0], tuple):
            found = found.pop(0) if len(found) > 1 else found[0]
        if found is None:
            return 404, {"errors": [{"description": f"not found: {call.path}"}]}
        return found if isinstance(found, tuple) else (200, found)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApi]:
    """A REST API under our control; the command line is pointed at it by a token."""

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            text = self.rfile.read(length)
            url = urlsplit(self.path)
            status, body = fake.answer(
                Call(
                    self.command,
                    url.path,
                    parse_qs(url.query),
                    json.loads(text) if text else None,
                    self.headers.get("Authorization"),
                )
            )
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815 (the names http.server looks for)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        fake = FakeApi(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("HATCHET_CLIENT_TOKEN", make_token(fake.url))
        yield fake
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def empty_working_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No dotenv file of the developer is read."""
    monkeypatch.chdir(tmp_path)

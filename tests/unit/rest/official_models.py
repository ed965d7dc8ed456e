"""Runs in the official SDK's environment: parses our answers with the SDK's own models.

Reads lines of ``[model, type, JSON text]`` (type: "object", "list" or "map") and answers each with
one line: "ok", or why the model refuses it.
"""

import importlib
import json
import re
import sys


def module_of(model: str) -> str:
    """V1TaskSummaryList -> v1_task_summary_list, APIMeta -> api_meta."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", model)
    return "hatchet_sdk.clients.rest.models." + snake.lower()


for line in sys.stdin:
    model, kind, text = json.loads(line)
    try:
        parse = getattr(importlib.import_module(module_of(model)), model).from_dict
        value = json.loads(text)
        items = [value] if kind == "object" else value if kind == "list" else value.values()
        for item in items:
            assert parse(item) is not None
        print("ok", flush=True)
    except Exception as error:
        print(repr(f"{model}: {error} for {text[:2000]}"), flush=True)

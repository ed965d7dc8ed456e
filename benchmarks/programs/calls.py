"""A program that answers calls: one JSON object per line comes in, one goes out.

Only the standard library, because it runs in every environment of the bench:

    serve({"add": lambda a, b: a + b})
"""

import asyncio
import inspect
import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any


def serve(operations: Mapping[str, Callable[..., Any]]) -> None:
    """Answer until the input ends. Operations may be coroutine functions; one loop runs them."""
    # What a library prints must not disturb the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    with asyncio.Runner() as runner:
        for line in sys.stdin:
            request = json.loads(line)
            try:
                result = operations[request["operation"]](**request["options"])
                if inspect.iscoroutine(result):
                    result = runner.run(result)
                answer = {"result": result}
            except Exception as error:
                traceback.print_exc()
                answer = {"error": f"{type(error).__name__}: {error}"}
            answers.write(json.dumps(answer) + "\n")

"""`hatchet.cel`: try out expressions."""

from typing import TYPE_CHECKING, Any

import orjson

from hatchet._run.rest import Call
from hatchet.features.event_models import CELEvaluationResult, CELFailure, CELSuccess

if TYPE_CHECKING:
    from hatchet._run.client import Client

__all__ = ["CELClient", "CELEvaluationResult", "CELFailure", "CELSuccess"]

JSONMapping = dict[str, Any]


class CELClient:
    """Evaluates expressions as filters of events do."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def _debug(
        self,
        expression: str,
        input: JSONMapping,
        additional_metadata: JSONMapping | None,
        filter_payload: JSONMapping | None,
    ) -> Call[CELEvaluationResult]:
        body: JSONMapping = {"expression": expression, "input": input}
        if additional_metadata is not None:
            body["additionalMetadata"] = additional_metadata
        if filter_payload is not None:
            body["filterPayload"] = filter_payload
        return self._client.rest.call(
            "POST",
            f"/api/v1/stable/tenants/{self._client.rest.tenant}/cel/debug",
            _result,
            body=body,
            retry=True,  # it changes nothing
        )

    def debug(
        self,
        expression: str,
        input: JSONMapping,
        additional_metadata: JSONMapping | None = None,
        filter_payload: JSONMapping | None = None,
    ) -> CELEvaluationResult:
        """Evaluate a filter expression over this event `input`, metadata and filter `payload`.

        answer = hatchet.cel.debug("input.total > 100", {"total": 120}).result
        assert answer.status == "success" and answer.output
        """
        return self._debug(expression, input, additional_metadata, filter_payload).send()

    async def aio_debug(
        self,
        expression: str,
        input: JSONMapping,
        additional_metadata: JSONMapping | None = None,
        filter_payload: JSONMapping | None = None,
    ) -> CELEvaluationResult:
        return await self._debug(expression, input, additional_metadata, filter_payload).aio()


def _result(data: bytes) -> CELEvaluationResult:
    answer = orjson.loads(data)
    if answer.get("status") == "SUCCESS" and isinstance(answer.get("output"), bool):
        return CELEvaluationResult(result=CELSuccess(output=answer["output"]))
    if answer.get("error") is not None:
        return CELEvaluationResult(result=CELFailure(error=answer["error"]))
    raise ValueError("the engine answered with neither a result nor an error")

"""Trying out filter expressions over REST: every expression gets an answer, good or bad."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from tests.support.rest import Api

PATH = "/api/v1/stable/tenants/{tenant}/cel/debug"
MODEL = "V1CELDebugResponse"


async def debug(api: Api, expression: str, **more: Any) -> Any:
    return await api.post(PATH, {"expression": expression, "input": {"n": 1}} | more, MODEL)


async def test_results(api: Api) -> None:
    three = "input.n == 1 && additional_metadata.who == 'me' && payload.test == 'x'"
    given = {"additionalMetadata": {"who": "me"}, "filterPayload": {"test": "x"}}
    assert await debug(api, three, **given) == {"status": "SUCCESS", "output": True}
    given["filterPayload"] = {"test": "y"}
    assert await debug(api, three, **given) == {"status": "SUCCESS", "output": False}
    assert (await debug(api, "payload == {}", filterPayload=None))["output"] is True


async def test_event_key_and_id_may_be_given(api: Api) -> None:
    expression = "event_key.startsWith('order:') && event_id.size() == 36"
    given = {"eventKey": "order:paid", "eventId": str(uuid4())}
    assert await debug(api, expression, **given) == {"status": "SUCCESS", "output": True}
    answer = await debug(api, expression)
    assert answer["status"] == "ERROR"
    assert "event_key has no value here" in answer["error"]


async def test_errors_are_answers(api: Api) -> None:
    for expression, words in (
        ("input.missing", "no such key: missing"),
        ("input.n", "gives int, but a filter must be a bool"),
        ("input.n ==", "syntax error: the expression ends too early (line 1, column 11)"),
        ("user.n == 1", "unknown variable `user`"),
        ("checksum(input.n) == ''", "no such operation: checksum of (int)"),
        ("", "is empty"),
        (" ", "is empty"),
        ("(" * 9_999, "nested too deeply"),
        ("1" * 10_001, "the limit is 10000"),
        ("1 == 1 // \ud800", "no valid Unicode"),
    ):
        answer = await api_answer(api, expression)
        assert answer["status"] == "ERROR"
        assert words in answer["error"]
        assert "output" not in answer


async def api_answer(api: Api, expression: str) -> Any:
    # As text: the client's own encoder would refuse half characters.
    escaped = expression.replace("\ud800", "\\ud800")
    body = f'{{"expression": "{escaped}", "input": {{"n": 1}}}}'
    headers = {"content-type": "application/json"}
    path = PATH.format(tenant=api.tenant)
    response = await api.client.post(path, content=body, headers=headers)
    assert response.status_code == 200, response.text
    api.keep(response, MODEL, "object")
    return response.json()


async def test_numbers_beyond_64_bits(api: Api) -> None:
    answer = await debug(api, "input.n == 1", input={"n": 2**70})
    assert answer["status"] == "ERROR"


async def test_refused_requests(api: Api) -> None:
    for body, field in (
        ({"input": {}}, "expression"),
        ({"expression": "true"}, "input"),
        ({"expression": "true", "input": []}, "input"),
        ({"expression": "true", "input": {}, "filterPayload": 1}, "filterpayload"),
    ):
        status, _, named = await api.refused("POST", PATH, json=body)
        assert (status, named) == (400, field)
    path = PATH.format(tenant=uuid4())
    assert (await api.refused("POST", path, json={"expression": "1", "input": {}}))[0] == 403

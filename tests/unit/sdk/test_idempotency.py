"""Taken idempotency keys, as the SDK tells them (ID-3, ID-4)."""

from __future__ import annotations

import pickle
import uuid
from typing import Any

import pytest
from pydantic import BaseModel

from hatchet import (
    BulkTriggerIdempotencyCollisionError,
    Context,
    Hatchet,
    IdempotencyCollisionError,
)
from hatchet._core import chunks

from .conftest import working
from .fake_engine import FakeEngine

HOLDER = uuid.uuid4()


class Number(BaseModel):
    value: int


def double_of(hatchet: Hatchet) -> Any:
    @hatchet.task(name="double")
    async def double(input: Number, ctx: Context) -> Number:
        return Number(value=2 * input.value)

    return double


@pytest.fixture
def double(engine: FakeEngine, hatchet: Hatchet) -> Any:
    """The key of the number 13 is taken."""
    engine.holders[Number(value=13).model_dump_json()] = HOLDER.bytes
    return double_of(hatchet)


def items(double: Any, *numbers: int) -> list[Any]:
    return [double.create_bulk_run_item(Number(value=number)) for number in numbers]


def told(error: IdempotencyCollisionError) -> tuple[str, int | None]:
    return error.existing_run_external_id, error.item_index


async def test_id_3_every_way_to_run_one(double: Any) -> None:
    taken = Number(value=13)
    for run in (double.run, double.run_no_wait):
        with pytest.raises(IdempotencyCollisionError, match=str(HOLDER)) as caught:
            run(taken)
        assert told(caught.value) == (str(HOLDER), None)
    for aio_run in (double.aio_run, double.aio_run_no_wait):
        with pytest.raises(IdempotencyCollisionError) as caught:
            await aio_run(taken)
        assert told(caught.value) == (str(HOLDER), None)


async def test_id_4_a_bulk_is_refused_before_its_runs_have_ended(
    engine: FakeEngine, double: Any
) -> None:
    """No worker is there: nothing ever ends."""
    engine.assign = False
    for run in (double.run_many, double.run_many_no_wait):
        with pytest.raises(BulkTriggerIdempotencyCollisionError) as caught:
            run(items(double, 1, 13, 2, 13))
        created = caught.value.successful_workflow_run_external_ids
        assert created == [str(uuid.UUID(bytes=run_id)) for run_id in engine.runs]
        assert [told(one) for one in caught.value.collisions] == [
            (str(HOLDER), 1),
            (str(HOLDER), 3),
        ]
        engine.runs.clear()
    for aio_run in (double.aio_run_many, double.aio_run_many_no_wait):
        with pytest.raises(BulkTriggerIdempotencyCollisionError):
            await aio_run(items(double, 1, 13))


async def test_id_4_with_return_exceptions_each_item_has_its_own_end(
    hatchet: Hatchet, double: Any
) -> None:
    wanted = items(double, 1, 13, 2)
    with working(hatchet.worker("w", workflows=[double])):
        for results in (
            double.run_many(wanted, return_exceptions=True),
            await double.aio_run_many(wanted, return_exceptions=True),
        ):
            first, second, third = results
            assert (first.value, third.value) == (2, 4)
            assert told(second) == (str(HOLDER), 1)


def test_id_4_a_bulk_of_several_requests_is_told_as_one(
    engine: FakeEngine, double: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.assign = False
    monkeypatch.setattr(chunks.chunked, "__defaults__", (3,))
    with pytest.raises(BulkTriggerIdempotencyCollisionError) as caught:
        double.run_many(items(double, 1, 13, 2, 3, 4, 13, 13))
    assert len(engine.all("triggers")) == 3
    assert [one.item_index for one in caught.value.collisions] == [1, 5, 6]
    created = caught.value.successful_workflow_run_external_ids
    assert created == [str(uuid.UUID(bytes=run_id)) for run_id in engine.runs]


def test_the_errors_survive_pickling() -> None:
    one = IdempotencyCollisionError("a", 3)
    assert told(pickle.loads(pickle.dumps(one))) == ("a", 3)
    bulk = pickle.loads(pickle.dumps(BulkTriggerIdempotencyCollisionError(["b"], [one])))
    assert bulk.successful_workflow_run_external_ids == ["b"]
    assert [told(collision) for collision in bulk.collisions] == [("a", 3)]

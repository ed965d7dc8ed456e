from hatchet_engine.domain.states import Status
from tests.support.engine import running_engine


async def test_task_goes_through(database: str) -> None:
    async with running_engine(database) as h:
        await h.put()
        w = await h.worker()
        (run,) = await h.trigger(input='{"x":1}')
        (task,) = await w.next()
        assert task.task_id == run
        assert task.input == '{"x":1}'
        assert task.attempt == 0
        await w.complete(task, '{"y":2}')
        result = await h.result(run)
        assert result.status is Status.COMPLETED
        assert result.tasks[0].output == '{"y":2}'
        assert await h.count("assignment") == 0
        assert await h.count("queue_item") == 0

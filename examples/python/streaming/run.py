"""Print a story as it arises: `python run.py`, while worker.py runs."""

import asyncio

from tasks import Topic, hatchet, tell_story


async def main() -> None:
    ref = await tell_story.aio_run_no_wait(Topic(name="queue"))
    async for chunk in hatchet.runs.subscribe_to_stream(ref.workflow_run_id):
        print(chunk, end="", flush=True)
    length = await ref.aio_result()
    print(f"\n({length.characters} characters)")


if __name__ == "__main__":
    asyncio.run(main())

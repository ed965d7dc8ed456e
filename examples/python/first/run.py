"""Run the task of worker.py: once, and a thousand times."""

import time

from worker import Name, greet

if __name__ == "__main__":
    greeting = greet.run(Name(name="Ada"))
    print(greeting.text)

    start = time.perf_counter()
    greetings = greet.run_many(
        [greet.create_bulk_run_item(Name(name=f"number {n}")) for n in range(1000)]
    )
    took_s = time.perf_counter() - start
    print(f"{greetings[-1].text} {len(greetings)} runs in {took_s:.2f} s")

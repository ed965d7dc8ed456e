"""Run the task once, and then a thousand times: `python run.py`, while worker.py runs."""

import time

from tasks import Person, greet

if __name__ == "__main__":
    greeting = greet.run(Person(name="Ada"))
    print(greeting.text)

    items = [greet.create_bulk_run_item(Person(name=f"number {n}")) for n in range(1, 1001)]
    start = time.perf_counter()
    greetings = greet.run_many(items)
    took_s = time.perf_counter() - start
    print(f"{greetings[-1].text} {len(greetings):,} runs in {took_s:.2f} s")

"""Write two letters and approve the first: `python run.py`, while worker.py runs.

The second one waits ten seconds for a decision that does not come.
"""

import time

from tasks import Letter, hatchet, letter

if __name__ == "__main__":
    first = letter.run_no_wait(Letter(text="Dear Ada"))
    # An event reaches those that wait when it comes: give the run a moment to get there.
    time.sleep(2)
    hatchet.event.push("letter:decided", {"approved": True, "by": "Bob"})
    print(first.result()["report"]["text"])

    start = time.perf_counter()
    second = letter.run(Letter(text="Dear nobody"))
    print(f"{second['report']['text']} after {time.perf_counter() - start:.0f} s")

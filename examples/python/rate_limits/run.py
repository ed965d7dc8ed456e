"""Send more than is allowed at once: `python run.py`, while worker.py runs."""

import time

from tasks import MAIL_API, Mail, fax, hatchet, send

from hatchet import RateLimitDuration

if __name__ == "__main__":
    hatchet.rate_limits.put(MAIL_API, 2, RateLimitDuration.SECOND)

    start = time.perf_counter()
    sent = send.run_many([send.create_bulk_run_item(Mail(to=f"user-{n}")) for n in range(5)])
    took_s = time.perf_counter() - start
    print(f"{len(sent)} mails, 2 per second: {took_s:.1f} s")

    # Ann's twelve pages need three windows; Bob's page does not wait for them.
    start = time.perf_counter()
    items = [Mail(to="ann", pages=4), Mail(to="ann", pages=4), Mail(to="ann", pages=4)]
    runs = [fax.run(item, wait_for_result=False) for item in items]
    fax.run(Mail(to="bob"))
    bob_s = time.perf_counter() - start
    for run in runs:
        run.result()
    print(f"bob waited {bob_s:.1f} s, ann {time.perf_counter() - start:.1f} s")

    for limit in hatchet.rate_limits.list(search="fax-").rows or []:
        print(f"{limit.key}: {limit.limit_value} per {limit.window}")

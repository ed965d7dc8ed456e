"""Start letters of several priorities: `python run.py`, while worker.py runs."""

from tasks import Letter, print_letter

from hatchet import Priority

if __name__ == "__main__":
    runs = [print_letter.run(Letter(title=f"advert {n}"), wait_for_result=False) for n in (1, 2, 3)]
    for priority, title in (
        (Priority.MEDIUM, "invoice"),
        (Priority.HIGH, "ticket 1"),
        (Priority.HIGH, "ticket 2"),
    ):
        runs.append(print_letter.run(Letter(title=title), priority=priority, wait_for_result=False))
    printed = sorted((run.result() for run in runs), key=lambda letter: letter.at)
    print(", ".join(letter.title for letter in printed))

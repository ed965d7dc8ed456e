"""Make films: `python run.py`, while worker.py runs."""

from tasks import film

if __name__ == "__main__":
    runs = film.run_many([film.create_bulk_run_item() for _ in range(6)])
    together = sum(run["fetch"]["worker"] == run["cut"]["worker"] for run in runs)
    print(f"{together} of {len(runs)} films were cut where they were fetched")

"""Run the workflow twice, the second time with a failure: `python run.py`, while worker.py runs."""

from tasks import Order, order

from hatchet import FailedTaskRunExceptionGroup

if __name__ == "__main__":
    # The result of a workflow holds the output of each task, by its name.
    result = order.run(Order(customer="Ada", prices=[1200, 800]))
    print(result["write_invoice"]["text"])

    try:
        order.run(Order(customer="Bob", prices=[]))
    except FailedTaskRunExceptionGroup as failed:
        for error in failed.exceptions:
            print(f"failed as expected: {error.exc_type}: {error.exc}")

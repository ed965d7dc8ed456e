"""Ask for the same work again and again: `python run.py`, while worker.py runs."""

from uuid import uuid4

from tasks import Order, Shop, charge, hatchet, rebuild_index

from hatchet import BulkTriggerIdempotencyCollisionError, IdempotencyCollisionError


def charge_once(order: Order) -> str:
    """What was charged, by this call or by an earlier one."""
    try:
        return charge.run(order).text
    except IdempotencyCollisionError as collision:
        earlier = charge.get_result(collision.existing_run_external_id)
        return f"{earlier.text} before"


if __name__ == "__main__":
    today = uuid4().hex
    orders = [Order(id=f"{today}-{number}", total=number * 10) for number in range(1, 5)]

    print(charge_once(orders[0]))
    print(charge_once(orders[0]))

    # In a bulk those whose keys are free are run all the same.
    items = [charge.create_bulk_run_item(order) for order in orders]
    try:
        charge.run_many(items)
    except BulkTriggerIdempotencyCollisionError as bulk:
        created = bulk.successful_workflow_run_external_ids
        print(f"{len(created)} of {len(orders)} were new")
        print([charge.get_result(run_id).text for run_id in created])

    shop = Shop(name=today)
    first = rebuild_index.run_no_wait(shop)
    try:
        rebuild_index.run(shop)
    except IdempotencyCollisionError as collision:
        same = collision.existing_run_external_id == first.workflow_run_id
        print(f"it is being rebuilt already: {same}")
    print(hatchet.runs.get_run_ref(first.workflow_run_id).result()["rebuild-index"]["text"])
    print(rebuild_index.run(shop).text, "again")

"""Factories: rows in the state asked for, complete and consistent, straight into the tables.

    rows = await Rows.open(database)
    run = await rows.run(workflow, Status.FAILED, error="boom")

For tests of reads, which must not depend on the engine that writes these tables in real life.
"""

from tests.support.rows.base import NOW_MS, Workflow, at
from tests.support.rows.flow import FlowRows
from tests.support.rows.many import ManyRows

__all__ = ["NOW_MS", "Rows", "Workflow", "at"]


class Rows(FlowRows, ManyRows):
    """One tenant's rows. ``tenant_id`` is made by :meth:`open`; another ``Rows`` is another one."""

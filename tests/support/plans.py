"""What a statement of the writer reads: its generic plan, run and taken back.

statement = await Prepared.make(connection, text)   # the plan is made here, and kept
plan = await statement.explain(*arguments)
assert plan.uses("task_pkey")
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import Any, Self

import asyncpg

_numbers = itertools.count()


@dataclass
class Plan:
    nodes: list[dict[str, Any]]
    pages: int

    @classmethod
    def of(cls, root: dict[str, Any]) -> Self:
        return cls(_nodes(root), root["Shared Hit Blocks"] + root["Shared Read Blocks"])

    def uses(self, index: str) -> bool:
        """Whether this index, or that of a partition of it, is read."""
        return any(index in node.get("Index Name", "") for node in self.nodes)

    @property
    def scanned(self) -> list[str]:
        return [node["Relation Name"] for node in self.nodes if node["Node Type"] == "Seq Scan"]

    @property
    def rows(self) -> float:
        """Rows that were looked at in tables, kept or not."""
        return self.rows_of("")

    def rows_of(self, table: str) -> float:
        """The same of tables whose name begins like this."""
        return sum(_looked_at(node) for node in self.nodes if _is_scan(node, table))

    def touches(self, table: str) -> bool:
        """Whether anything of such a table was looked at."""
        return self.rows_of(table) > 0

    @property
    def scanned_history(self) -> list[str]:
        """Day partitions that were read whole and are not empty."""
        return [
            node["Relation Name"]
            for node in self.nodes
            if node["Node Type"] == "Seq Scan" and "_p20" in node["Relation Name"]
            if _looked_at(node) > 0
        ]

    @property
    def indexes_read(self) -> set[str]:
        """Indexes that were searched, not only planned for."""
        return {
            node["Index Name"]
            for node in self.nodes
            if "Index Name" in node and node["Actual Loops"] > 0
        }

    def read(self, index: str) -> bool:
        return any(index in name for name in self.indexes_read)


class Prepared:
    """A prepared statement of a connection, with the plan that was made when it was prepared."""

    def __init__(self, connection: asyncpg.Connection, name: str) -> None:
        self._connection = connection
        self._name = name

    @classmethod
    async def make(cls, connection: asyncpg.Connection, text: str) -> Self:
        types = []
        for parameter in (await connection.prepare(text)).get_parameters():
            name = parameter.name
            types.append(f"{name[1:]}[]" if name.startswith("_") else name)
        made = cls(connection, f"plan_{next(_numbers)}")
        listed = f"({', '.join(types)})" if types else ""
        await connection.execute(f"prepare {made._name} {listed} as {text}")
        nothing = f"({', '.join(['null'] * len(types))})" if types else ""
        await connection.execute(f"explain execute {made._name}{nothing}")
        return made

    async def explain(self, *arguments: object) -> Plan:
        given = f"({', '.join(map(_literal, arguments))})" if arguments else ""
        transaction = self._connection.transaction()
        await transaction.start()
        try:
            text = await self._connection.fetchval(
                f"explain (analyze, buffers, format json) execute {self._name}{given}"
            )
        finally:
            await transaction.rollback()
        return Plan.of(json.loads(text)[0]["Plan"])


def _nodes(node: dict[str, Any]) -> list[dict[str, Any]]:
    return [node, *itertools.chain.from_iterable(map(_nodes, node.get("Plans", ())))]


def _is_scan(node: dict[str, Any], table: str) -> bool:
    return "Scan" in node["Node Type"] and node.get("Relation Name", "-").startswith(table)


def _looked_at(node: dict[str, Any]) -> float:
    names = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")
    return float(sum(node.get(name, 0) for name in names) * node["Actual Loops"])


def _literal(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, list | tuple):
        inner = ",".join("null" if one is None else f'"{one}"' for one in value)
        return f"'{{{inner}}}'"
    return f"'{value}'"

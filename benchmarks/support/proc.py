"""CPU time and memory of processes, read from /proc (Linux)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
KIB_PER_MB = 1_000_000 / 1024


@dataclass(frozen=True, slots=True)
class Stat:
    """The fields of /proc/PID/stat that matter here."""

    pid: int
    name: str
    parent: int
    own_cpu_s: float
    reaped_cpu_s: float
    """CPU time of children that have ended and were waited for, with their own such children."""


def read_stat(pid: int) -> Stat | None:
    """None when the process is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name stands in parentheses and may hold spaces and parentheses itself.
    name, _, rest = text.partition("(")[2].rpartition(")")
    fields = rest.split()
    user, system, reaped_user, reaped_system = (int(field) for field in fields[11:15])
    return Stat(
        pid,
        name,
        int(fields[1]),
        (user + system) / TICKS_PER_S,
        (reaped_user + reaped_system) / TICKS_PER_S,
    )


def descendants(pid: int) -> list[Stat]:
    """All living children, their children and so on; not the process itself."""
    children: dict[int, list[Stat]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (stat := read_stat(int(entry))) is not None:
            children.setdefault(stat.parent, []).append(stat)
    found: list[Stat] = []
    open_ends = [pid]
    while open_ends:
        below = children.get(open_ends.pop(), [])
        found += below
        open_ends += [stat.pid for stat in below]
    return found


def process_cpu_s(pid: int) -> float:
    """CPU time of one process with its threads, without its children."""
    stat = read_stat(pid)
    return stat.own_cpu_s if stat else 0.0


def tree_cpu_s(pid: int) -> float:
    """CPU time of a process and all its descendants, those that have ended included."""
    stat = read_stat(pid)
    stats = [stat] if stat else []
    return sum(s.own_cpu_s + s.reaped_cpu_s for s in [*stats, *descendants(pid)])


def memory_mb(pid: int) -> tuple[float, float]:
    """RSS and PSS in MB (10^6 bytes). PSS counts a page shared by n processes as 1/n."""
    sizes = {"Rss": 0.0, "Pss": 0.0}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        key, _, rest = line.partition(":")
        if key in sizes:
            sizes[key] = int(rest.split()[0]) / KIB_PER_MB
    return sizes["Rss"], sizes["Pss"]

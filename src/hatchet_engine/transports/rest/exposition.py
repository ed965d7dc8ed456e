"""Prometheus' text format for values that are read at the moment of the request.

(The client library keeps registries of values; for a look at one tenant there is nothing to keep.)
"""

from __future__ import annotations


class Gauges:
    """Collects values; ``text`` puts those of one name together, as the format wants."""

    def __init__(self) -> None:
        self._lines: dict[str, list[str]] = {}

    def add(self, name: str, value: float, /, **labels: str) -> None:
        pairs = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        self._lines.setdefault(name, []).append(f"{name}{{{pairs}}} {value:g}")

    def text(self) -> str:
        parts = [
            f"# TYPE {name} gauge\n" + "\n".join(lines) + "\n"
            for name, lines in self._lines.items()
        ]
        return "".join(parts)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

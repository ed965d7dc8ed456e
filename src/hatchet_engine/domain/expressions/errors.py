"""What is wrong with an expression: before it runs, or with the values it met."""

from __future__ import annotations

QUOTED_MAX = (
    200  # characters of an expression that messages quote; the middle of a longer one is cut
)


class ExpressionError(ValueError):
    """An expression that can't be used: bad syntax, unknown names, wrong result, too big.

    ``line`` and ``column`` count from 1 and are 0 when the whole expression is meant. The message
    says what is wrong, then quotes the line with a caret under the place.
    """

    def __init__(self, expression: str, reason: str, *, line: int = 0, column: int = 0) -> None:
        self.expression = expression
        self.reason = reason
        self.line = line
        self.column = column
        super().__init__(_with_place(expression, reason, line, column))


class EvaluationError(ValueError):
    """An expression that compiled but has no result for these values; ``reason`` says why."""

    def __init__(self, expression: str, reason: str) -> None:
        self.expression = expression
        self.reason = reason
        super().__init__(f"{reason} (in the expression {quoted(expression)})")


def quoted(expression: str) -> str:
    """The expression for a message: in backticks, long ones without their middle."""
    if len(expression) > QUOTED_MAX:
        half = QUOTED_MAX // 2
        expression = f"{expression[:half]} … {expression[-half:]}"
    return f"`{_printable(expression)}`"


def _printable(text: str) -> str:
    """Lone surrogates spelled out, as no message could be sent with them."""
    return text.encode("utf-8", "backslashreplace").decode()


def _with_place(expression: str, reason: str, line: int, column: int) -> str:
    if not line:
        return f"{reason} (in the expression {quoted(expression)})"
    lines = expression.split("\n")
    text = lines[line - 1].expandtabs(1) if line <= len(lines) else ""
    # A window around the place, so that a long line does not bury it.
    start = max(0, column - 1 - QUOTED_MAX // 2)
    shown = text[start : start + QUOTED_MAX]
    caret = " " * (column - 1 - start) + "^"
    return f"{reason} (line {line}, column {column})\n  {shown}\n  {caret}"

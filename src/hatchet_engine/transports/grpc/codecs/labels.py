"""Worker labels and the labels that tasks and runs desire (B3.3)."""

from __future__ import annotations

from collections.abc import Mapping

from hatchet_engine.domain.errors import invalid
from hatchet_engine.domain.labels import DEFAULT_WEIGHT, Comparator, DesiredLabel, LabelValue
from hatchet_protocol import session
from hatchet_protocol.dispatcher import WorkerLabels
from hatchet_protocol.v1_trigger import DesiredWorkerLabels


def worker_labels(labels: Mapping[str, WorkerLabels]) -> dict[str, LabelValue]:
    """Official form; a label with neither text nor number is empty text."""
    return {
        key: label.int_value if label.HasField("int_value") else label.str_value
        for key, label in labels.items()
    }


def desired_labels(
    labels: Mapping[str, DesiredWorkerLabels], field: str
) -> dict[str, DesiredLabel]:
    """Official form. Raises ``Refused`` naming the label."""
    found = {}
    for key, label in labels.items():
        if label.HasField("int_value"):
            value: LabelValue = label.int_value
        elif label.HasField("str_value"):
            value = label.str_value
        else:
            raise invalid(f"{field}[{key!r}]: needs str_value or int_value", field=field)
        found[key] = DesiredLabel(
            value,
            label.required,
            comparator(label.comparator, f"{field}[{key!r}].comparator"),
            label.weight if label.HasField("weight") else DEFAULT_WEIGHT,
        )
    return found


def session_labels(labels: Mapping[str, session.Label]) -> dict[str, LabelValue]:
    return {key: session_label(label) for key, label in labels.items()}


def session_label(label: session.Label) -> LabelValue:
    return label.number if label.WhichOneof("value") == "number" else label.text


def session_desired_labels(labels: Mapping[str, session.DesiredLabel]) -> dict[str, DesiredLabel]:
    """Raises ``Refused`` naming the label."""
    return {
        key: DesiredLabel(
            session_label(label.value),
            label.required,
            comparator(label.comparator, f"desired_labels[{key!r}].comparator"),
            label.weight if label.HasField("weight") else DEFAULT_WEIGHT,
        )
        for key, label in labels.items()
    }


def comparator(number: int, field: str) -> Comparator:
    try:
        return Comparator(number)
    except ValueError:
        raise invalid(f"{field}: must be 0 to {max(Comparator)}, got {number}") from None

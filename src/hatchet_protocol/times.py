"""Timestamps as whole milliseconds since the epoch.

The `Timestamp` of our pool also has protobuf's usual conversions (`ToDatetime` and so
on); these functions skip their checks and take about half the time.
"""

from hatchet_protocol.timestamp import Timestamp


def timestamp_ms(timestamp: Timestamp) -> int:
    """Milliseconds since the epoch, rounded down. An unset timestamp gives 0.

    >>> timestamp_ms(new_timestamp(1_700_000_000_123))
    1700000000123
    """
    return timestamp.seconds * 1000 + timestamp.nanos // 1_000_000


def set_timestamp(timestamp: Timestamp, epoch_ms: int) -> None:
    """Set a timestamp field in place: `set_timestamp(event.event_timestamp, now_ms)`."""
    seconds, ms = divmod(epoch_ms, 1000)
    timestamp.seconds = seconds
    timestamp.nanos = ms * 1_000_000


def new_timestamp(epoch_ms: int) -> Timestamp:
    """A timestamp to hand to a message's constructor."""
    seconds, ms = divmod(epoch_ms, 1000)
    return Timestamp(seconds=seconds, nanos=ms * 1_000_000)

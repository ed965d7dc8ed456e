"""Every bound of this layer, by name."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB

WINDOW_MAX = 2**31 - 1  # by RFC 9113
DEFAULT_WINDOW = 65_535
DEFAULT_FRAME_BYTES = 16_384
FRAME_BYTES_MAX = 2**24 - 1


@dataclass(slots=True, frozen=True)
class Limits:
    """Of one connection."""

    concurrent_streams: int = 10_000
    frame_bytes: int = 64 * KIB  # of one frame's payload
    header_list_bytes: int = 64 * KIB  # decoded, as RFC 7541 counts; beyond it the call is refused
    header_block_bytes: int = 256 * KIB  # as received; beyond it the connection ends
    header_block_frames: int = 64
    stream_window_bytes: int = 4 * MIB
    connection_window_bytes: int = 16 * MIB
    # Messages that are incomplete or that nobody has read yet, of all streams of a connection.
    held_bytes: int = 128 * MIB
    # What waits for a peer that does not read. Messages are bounded by its windows before.
    unsent_bytes: int = 64 * MIB
    # Frames that cost us work and the peer nothing: so many at once, and so many per second. A
    # client that pings every 10 ms, or cancels a thousand calls, is far from them.
    pings_burst: int = 5_000
    pings_per_s: int = 500
    settings_burst: int = 200
    settings_per_s: int = 10
    resets_burst: int = 10_000
    resets_per_s: int = 1_000
    oddities_burst: int = 10_000  # empty, unknown, ignored or misplaced frames
    oddities_per_s: int = 1_000


@dataclass(slots=True, frozen=True)
class Times:
    """Of one connection; seconds."""

    greeting_s: float = 10.0  # for the TLS handshake, and then for the client's first frames
    keepalive_idle_s: float = 10.0  # of silence, before a ping
    keepalive_timeout_s: float = 10.0  # for anything to come after it
    goodbye_s: float = 0.5  # for the client to close after GOAWAY, once its calls have ended
    flush_s: float = 5.0  # for a closing connection to take what is still unsent
    peer_gone_grace_s: float = 3.0  # for stream handlers to return once their peer is gone

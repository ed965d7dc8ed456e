"""Names of the official SDK that are on their way out there, kept so that programs go on."""

import warnings


def warn_of(old: str, new: str) -> None:
    """Say what to write instead; the warning points at the caller of the old name."""
    warnings.warn(f"{old} goes away in v2.0.0: use {new}", DeprecationWarning, stacklevel=3)

"""The two versions a server tells: the one clients know features by, and our own."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version

# Official SDKs switch features on by this number (see the gates in the gRPC reference).
OFFICIAL_VERSION = "v0.114.2"


@cache
def package_version() -> str:
    """Version of the installed distribution; "0" in a tree that isn't installed."""
    try:
        return version("hatchet")
    except PackageNotFoundError:
        return "0"

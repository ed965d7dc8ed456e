"""Models of the REST API, under the names of the official SDK."""

from hatchet.features.models import *  # noqa: F403

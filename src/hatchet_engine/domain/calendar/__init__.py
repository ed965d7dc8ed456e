"""Crons: what their texts mean, and when they are due."""

from hatchet_engine.domain.calendar.cron_text import CronText, check_zone, parse
from hatchet_engine.domain.calendar.due import first_tick, following, to_make_good
from hatchet_engine.domain.calendar.fields import Fields
from hatchet_engine.domain.calendar.policies import (
    CatchUp,
    Overlap,
    Policies,
    check_policies,
    jittered_ms,
)
from hatchet_engine.domain.calendar.ticks import Ticks, ticks_of

__all__ = [
    "CatchUp",
    "CronText",
    "Fields",
    "Overlap",
    "Policies",
    "Ticks",
    "check_policies",
    "check_zone",
    "first_tick",
    "following",
    "jittered_ms",
    "parse",
    "ticks_of",
    "to_make_good",
]

"""Run as a program: become the Postgres user, tie our life to the parent's, then become Postgres.

    python -I -S child.py [--uid N --gid N] [--keep-read-access] [--die-with PID] -- PROGRAM ARGS...

A program of its own instead of a `preexec_fn`, because the server has threads, and Python code
between fork and exec may deadlock there. It imports nothing of the project.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import sys

# From linux/prctl.h and linux/capability.h.
PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAPABILITY_VERSION_3 = 0x20080522
CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2

EXIT_NO_ACCESS = 77
EXIT_PARENT_GONE = 78


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--uid", type=int)
    parser.add_argument("--gid", type=int)
    parser.add_argument("--keep-read-access", action="store_true")
    parser.add_argument("--die-with", type=int)
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()

    if options.uid is not None:
        _become(options.uid, options.gid, keep_read_access=options.keep_read_access)
    if options.die_with is not None and sys.platform == "linux":
        # After the change of user, which clears it. SIGINT asks Postgres for a fast, clean stop.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)
        if os.getppid() != options.die_with:
            sys.exit(EXIT_PARENT_GONE)
    os.umask(0o077)
    os.execv(options.command[0], options.command)  # noqa: S606 (no shell is the point)


def _become(uid: int, gid: int, *, keep_read_access: bool) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if keep_read_access and sys.platform == "linux":
        libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if keep_read_access and not _keep_one_capability(libc):
        sys.exit(EXIT_NO_ACCESS)


def _keep_one_capability(libc: ctypes.CDLL) -> bool:
    """Keep the smallest capability that passes directories, across exec; drop all others."""
    if sys.platform != "linux":
        return False
    for capability in (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE):
        bit = 1 << capability
        sets = (_Sets * 2)(_Sets(bit, bit, bit), _Sets(0, 0, 0))
        if libc.capset(ctypes.byref(_Header(CAPABILITY_VERSION_3, 0)), sets) != 0:
            continue
        if libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) == 0:
            return True
    return False


if __name__ == "__main__":
    main()

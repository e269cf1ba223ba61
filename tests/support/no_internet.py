"""A process that may not open a socket of the internet: the kernel ends it, in native code and in children alike.

A seccomp filter on socket(2), Linux alone; no root and no tool is needed. Sockets between processes (AF_UNIX) stay.
"""

from __future__ import annotations

import ctypes
import faulthandler
import platform
import signal
import socket
import struct
import sys

_SOCKET_CALL = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}  # AUDIT_ARCH, number of socket(2)
_NUMBER, _ARCH, _FAMILY = 0, 4, 16  # offsets in struct seccomp_data: nr, arch, low half of args[0]
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06  # BPF: ld [k], jeq k, ret k
_ALLOW, _TRAP = 0x7FFF0000, 0x00030000  # SECCOMP_RET_*
_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2  # prctl


def why_not() -> str | None:
    """Why no such filter can be set here; ``None``: it can."""
    if sys.platform != "linux" or platform.machine() not in _SOCKET_CALL:
        return f"needs Linux on x86_64 or aarch64, this is {sys.platform} on {platform.machine()}"
    return None


def forbid_internet() -> None:
    """From here on this process and its children end with SIGSYS when they open an internet socket."""
    arch, number = _SOCKET_CALL[platform.machine()]
    rows = [
        (_LOAD, 0, 0, _ARCH),
        (_EQUAL, 0, 5, arch),
        (_LOAD, 0, 0, _NUMBER),
        (_EQUAL, 0, 3, number),
        (_LOAD, 0, 0, _FAMILY),
        (_EQUAL, 2, 0, int(socket.AF_INET)),
        (_EQUAL, 1, 0, int(socket.AF_INET6)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _TRAP),
    ]
    code = b"".join(struct.pack("HBBI", *row) for row in rows)
    held = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxP", len(rows), ctypes.addressof(held))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) or libc.prctl(_SET_SECCOMP, _FILTER, program, 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")
    faulthandler.register(signal.SIGSYS, chain=True)  # says who opened it

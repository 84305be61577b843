"""A network of its own for a test: addresses on this machine that are not loopback, for what may not lead to
this machine itself (servers that users name). Needs root."""
import ctypes
import fcntl
import os
import socket
import struct

ADDRESS = "198.51.100.1"  # of TEST-NET-2 (RFC 5737): nobody's
NEW_NETWORK = 0x40000000  # CLONE_NEWNET
SET_ADDRESS, SET_FLAGS = 0x8916, 0x8914  # SIOCSIFADDR, SIOCSIFFLAGS
UP = 1  # IFF_UP
LIBC = ctypes.CDLL(None, use_errno=True)


def check(outcome):
    if outcome != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


class OwnNetwork:
    """From now on the calling thread, and all that it starts, sees loopback with ADDRESS and nothing else."""

    def __init__(self):
        self.before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        check(LIBC.unshare(NEW_NETWORK))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            fcntl.ioctl(control, SET_FLAGS, struct.pack("16sh", b"lo", UP))
            fcntl.ioctl(control, SET_ADDRESS, struct.pack("16sHH4s8s", b"lo:1", socket.AF_INET, 0,
                                                          socket.inet_aton(ADDRESS), b""))

    def leave(self):
        check(LIBC.setns(self.before, NEW_NETWORK))
        os.close(self.before)

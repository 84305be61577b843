"""Another network for a test: addresses that lead to this machine, or to a node on it, and are not loopback, for
what may not lead to this machine itself (servers that users name). Needs root."""
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


class Network:
    """Another one, of the calling thread and all that it starts from now on; `address`: its own in there."""

    def __init__(self, address):
        self.address = address
        self.before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    def leave(self):
        check(LIBC.setns(self.before, NEW_NETWORK))
        os.close(self.before)


class OwnNetwork(Network):
    """Loopback with ADDRESS and nothing else."""

    def __init__(self):
        super().__init__(ADDRESS)
        check(LIBC.unshare(NEW_NETWORK))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            fcntl.ioctl(control, SET_FLAGS, struct.pack("16sh", b"lo", UP))
            fcntl.ioctl(control, SET_ADDRESS, struct.pack("16sHH4s8s", b"lo:1", socket.AF_INET, 0,
                                                          socket.inet_aton(ADDRESS), b""))


class NetworkOf(Network):
    """Of a process."""

    def __init__(self, pid, address):
        super().__init__(address)
        with open(f"/proc/{pid}/ns/net") as other:
            check(LIBC.setns(other.fileno(), NEW_NETWORK))

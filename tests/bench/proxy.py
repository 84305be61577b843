"""A TCP proxy in front of the API server that notes when what passed it.

It forwards bytes as they come. For own times only order and arrival count, so nothing is parsed:
a piece that begins with a method and a path is a request, what comes back on its connection next is
the answer. Python adds some tens of microseconds to what it measures."""
import collections
import dataclasses
import socket
import threading
import time


@dataclasses.dataclass
class Piece:
    up: bool  # from the client to the server
    connection: int
    time: float
    data: bytes


class Proxy:
    def __init__(self, host, port, before=lambda piece: None):
        """before() is called with each piece on its way to the server, and may hold it."""
        self.target = (host, port)
        self.before = before
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.pieces = collections.deque()
        self.changed = threading.Condition()
        self.sockets = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        number = 0
        while True:
            try:
                client, _ = self.listener.accept()
                server = socket.create_connection(self.target)
            except OSError:
                return
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.sockets.append(end)
            for arguments in ((client, server, True, number), (server, client, False, number)):
                threading.Thread(target=self.pump, args=arguments, daemon=True).start()
            number += 1

    def pump(self, source, sink, up, connection):
        try:
            while data := source.recv(65536):
                piece = Piece(up, connection, time.monotonic(), data)
                if up:
                    self.before(piece)
                sink.sendall(data)
                with self.changed:
                    self.pieces.append(piece)
                    self.changed.notify_all()
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def clear(self):
        with self.changed:
            self.pieces.clear()

    def wait_quiet(self, seconds, deadline_seconds=10):
        """Until nothing passed for so long."""
        deadline = time.monotonic() + deadline_seconds
        with self.changed:
            while self.changed.wait(seconds) and time.monotonic() < deadline:
                pass

    def find(self, holds, after=0.0, timeout_seconds=10):
        """The first piece later than `after` of which it holds; waits for it. None: it did not come."""
        deadline = time.monotonic() + timeout_seconds
        with self.changed:
            while True:
                for piece in self.pieces:
                    if piece.time > after and holds(piece):
                        return piece
                left = deadline - time.monotonic()
                if left <= 0 or not self.changed.wait(left):
                    return None

    def close(self):
        self.listener.close()
        for end in self.sockets:
            end.close()

"""A TCP proxy that does one harm at a chosen byte of a connection, so many times.

    proxy = FaultProxy(upstream_port)
    proxy.harm("cut", after=1000, side="down", times=1)

Harms, on the bytes that go up (to the server) or down (to the client): `cut` resets the connection
behind `after` bytes, `stall` goes silent there, `corrupt` flips the bit of one byte, `delay` waits
`seconds` there. `answer` answers a connection by itself with `status` and `body` and closes it. Only connections
that reach the byte count; `matches` limits them to requests that contain these bytes."""
import socket
import struct
import threading
import time

PIECE = 64 * 1024


class Harm:
    def __init__(self, kind, side, after, times, status, body, seconds, matches):
        self.kind, self.side, self.after, self.times = kind, side, after, times
        self.status, self.body, self.seconds, self.matches = status, body, seconds, matches
        self.done = 0


class FaultProxy:
    def __init__(self, upstream_port=None):
        self.upstream_port = upstream_port
        self.lock = threading.Lock()
        self.current = None
        self.closing = threading.Event()
        self.sockets = set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def harm(self, kind, after=0, side="down", times=1, status=503, body=b"", seconds=0.0, matches=b""):
        with self.lock:
            self.current = Harm(kind, side, after, times, status, body, seconds, matches)
        return self.current

    def heal(self):
        with self.lock:
            self.current = None

    def close(self):
        self.closing.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()
        with self.lock:
            left = list(self.sockets)
        for one in left:
            reset(one)

    def take(self, harm):
        """Whether the harm is to be done now; once more it is then."""
        with self.lock:
            if self.current is not harm or harm.done == harm.times:
                return False
            harm.done += 1
            return True

    def accept(self):
        while not self.closing.is_set():
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        try:
            server = socket.create_connection(("127.0.0.1", self.upstream_port), 10)
        except OSError:
            reset(client)
            return
        server.settimeout(None)
        with self.lock:
            self.sockets |= {client, server}
        pair = Pair(self, client, server)
        up = threading.Thread(target=pair.pump, args=("up", client, server), daemon=True)
        up.start()
        pair.pump("down", server, client)
        up.join()
        with self.lock:
            self.sockets -= {client, server}
        client.close()
        server.close()


class Pair:
    """One connection through the proxy."""

    def __init__(self, proxy, client, server):
        self.proxy, self.client, self.server = proxy, client, server
        self.request = b""  # what came of the current one, from its beginning
        self.sent = {"up": 0, "down": 0}
        self.is_silent = False

    def pump(self, side, source, target):
        try:
            while piece := source.recv(PIECE):
                if side == "up" and self.sent["down"] > 0:  # the next request on this connection
                    self.request, self.sent = b"", {"up": 0, "down": 0}
                if side == "up":
                    self.request = (self.request + piece)[:PIECE]
                piece = self.hurt(side, piece)
                if piece is None:
                    return
                self.sent[side] += len(piece)  # before the other side can ask for more
                target.sendall(piece)
        except OSError:
            pass
        for one in () if self.is_silent else (source, target):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def hurt(self, side, piece):
        """The piece as it goes on; None: the connection is over."""
        harm = self.proxy.current
        if harm is None or harm.matches not in self.request:
            return piece
        if harm.kind == "answer":
            if side == "up" and self.sent["up"] == 0 and self.proxy.take(harm):
                self.client.sendall(f"HTTP/1.1 {harm.status} Busy\r\nContent-Length: {len(harm.body)}\r\n"
                                    "Connection: close\r\n\r\n".encode() + harm.body)
                self.end()
                return None
            return piece
        place = harm.after - self.sent[side]
        if side != harm.side or not 0 <= place < len(piece) or not self.proxy.take(harm):
            return piece
        if harm.kind == "corrupt":
            return piece[:place] + bytes([piece[place] ^ 1]) + piece[place + 1:]
        (self.server if side == "up" else self.client).sendall(piece[:place])
        if harm.kind == "delay":
            time.sleep(harm.seconds)
            return piece[place:]
        if harm.kind == "stall":  # of the client alone: a server with one thread would stand still
            self.is_silent = True
            reset(self.server)
            self.proxy.closing.wait(30)
        self.end()
        return None

    def end(self):
        reset(self.client)
        reset(self.server)


def reset(one):
    """Closes a socket by a reset: what is in flight is lost."""
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.shutdown(socket.SHUT_RDWR)
        one.close()
    except OSError:
        pass

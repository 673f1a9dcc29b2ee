"""A network between clients and one server, that can go wrong as real ones do."""

import contextlib
import socket
import struct
import threading
import time
from enum import Enum, auto
from pathlib import Path


class Way(Enum):
    """What becomes of what is sent."""

    OPEN = auto()
    SWALLOWED = auto()
    """What is sent is acknowledged and lost. Connections of that time stay dead afterwards."""
    STALLED = auto()
    """What is sent arrives once the network is healed, as when TCP sends it again."""
    CUT = auto()
    """Connections are reset, and new ones too."""


class Relay:
    """Listens on a port of this host and forwards to a server, by host and port or on a unix socket."""

    def __init__(self, server: tuple[str, int] | Path) -> None:
        self._server = server
        self._way = Way.OPEN
        self._delay = 0.0
        self._lock = threading.Lock()
        self._open = threading.Event()
        self._open.set()
        self._over = False
        self._pipes: list[_Pipe] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def swallow(self) -> None:
        """Take whatever is sent, both ways, and forward nothing."""
        self._become(Way.SWALLOWED)
        for pipe in self._living():
            pipe.dead = True

    def stall(self) -> None:
        """Hold back whatever is sent, both ways."""
        self._become(Way.STALLED)

    def cut(self) -> None:
        """Reset all connections, and new ones at once."""
        self._become(Way.CUT)
        for pipe in self._living():
            pipe.reset()

    def delay(self, seconds: float) -> None:
        """Forward each piece so much later."""
        self._delay = seconds

    def heal(self) -> None:
        """Forward again. Connections that swallowed something are not closed, and stay dead."""
        self._become(Way.OPEN)

    def close(self) -> None:
        """End everything."""
        self._over = True
        self._become(Way.OPEN)
        self._listener.close()
        for pipe in self._living():
            pipe.reset()

    def _become(self, way: Way) -> None:
        self._way = way
        if way is Way.STALLED:
            self._open.clear()
        else:
            self._open.set()

    def _living(self) -> "list[_Pipe]":
        with self._lock:
            self._pipes = [pipe for pipe in self._pipes if not pipe.over]
            return list(self._pipes)

    def _accept(self) -> None:
        while not self._over:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        pipe = _Pipe(client)
        with self._lock:
            self._pipes.append(pipe)
        if self._way is Way.CUT:
            return pipe.reset()
        if self._way is Way.SWALLOWED:
            pipe.dead = True
            return pipe.drain(client)
        self._open.wait()
        try:
            pipe.server = self._connect()
        except OSError:
            return pipe.reset()
        threading.Thread(target=self._pump, args=(pipe, pipe.server, client), daemon=True).start()
        return self._pump(pipe, client, pipe.server)

    def _connect(self) -> socket.socket:
        if not isinstance(self._server, Path):
            return socket.create_connection(self._server, timeout=5)
        server = socket.socket(socket.AF_UNIX)
        server.connect(str(self._server))
        return server

    def _pump(self, pipe: "_Pipe", source: socket.socket, sink: socket.socket) -> None:
        try:
            source.settimeout(None)
            while piece := source.recv(65536):
                self._open.wait()
                if self._delay:
                    time.sleep(self._delay)
                if not pipe.dead:
                    sink.sendall(piece)
        except OSError:
            pass
        # Neither end hears of the other's end through a network that swallows it.
        if not pipe.dead:
            pipe.reset()


class _Pipe:
    """A connection of a client, and the one to the server that it is forwarded to."""

    def __init__(self, client: socket.socket) -> None:
        self.client = client
        self.server: socket.socket | None = None
        self.dead = False
        self.over = False

    def drain(self, end: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while end.recv(65536):
                pass

    def reset(self) -> None:
        """Close both ends as a reset does."""
        self.over = True
        for end in (self.client, self.server):
            if end is not None:
                with contextlib.suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)  # wakes the thread that reads from it
                end.close()

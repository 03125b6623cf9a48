"""Kept HTTP connections to one address, lent to one thread at a time."""

from __future__ import annotations

import http.client
import select
import socket
import ssl
import threading


class Connections:
    """Connects to `address` while speaking (and verifying) the name `server`: what a tunnel needs."""

    def __init__(
        self, server: str, address: tuple[str, int], tls: ssl.SSLContext | None, timeout: float
    ) -> None:
        self._server, self._address, self._tls, self._timeout = server, address, tls, timeout
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()

    def take(self) -> http.client.HTTPConnection:
        """An idle connection that the server has not closed, or a new one."""
        with self._lock:
            while self._idle:
                kept = self._idle.pop()
                if not _closed_by_peer(kept):
                    return kept
                kept.close()
        host, port = self._address
        made = http.client.HTTPConnection(host, port, timeout=self._timeout, blocksize=1 << 20)
        made.connect()
        made.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls:
            made.sock = self._tls.wrap_socket(made.sock, server_hostname=self._server)
        return made

    def give_back(self, connection: http.client.HTTPConnection) -> None:
        """Keep a connection whose answer has been read to its end."""
        with self._lock:
            self._idle.append(connection)

    def close(self) -> None:
        """Close those that are idle."""
        with self._lock:
            for connection in self._idle:
                connection.close()
            self._idle.clear()


def _closed_by_peer(connection: http.client.HTTPConnection) -> bool:
    """Whether a kept connection was closed while it was idle: then, and only then, it is readable."""
    if connection.sock is None:
        return True
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return bool(poll.poll(0))

"""A free port is given to one test only, and the server of that test can bind it."""

import socket
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.ports import SSH_PORTS, free_port, local_fleet_ports

TAKE = "import socket, sys; socket.socket().bind(('127.0.0.1', int(sys.argv[1])))"


def refused(port: int) -> bool:
    """Whether another process is refused it."""
    other = subprocess.run(
        [sys.executable, "-c", TAKE, str(port)], capture_output=True, text=True, check=False
    )
    return "Address already in use" in other.stderr


def test_another_process_does_not_get_it_before_its_server_starts():
    assert refused(free_port())


def test_another_process_gets_none_of_a_local_fleet():
    ports = local_fleet_ports()
    assert all(map(refused, ports.values()))
    assert refused(ports["ssh_port"] + SSH_PORTS - 1)


def test_nothing_answers_on_it_until_a_server_takes_it():
    port = free_port()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 5)
    with HTTPServer(("127.0.0.1", port), BaseHTTPRequestHandler):
        socket.create_connection(("127.0.0.1", port), 5).close()

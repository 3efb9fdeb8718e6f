"""A server that is held still is told from one that is slow, refuses or speaks another language."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import grpc
import pytest

from serve_app.pulse import Pulse

SILENCE_S = 0.3


def silent_within(pulse: Pulse, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if pulse.is_silent():
            return True
        time.sleep(0.02)
    return False


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """The kernel takes connections for it, as for a process that is held still."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server


def port_of(listener: socket.socket) -> int:
    return listener.getsockname()[1]


def accepting(listener: socket.socket, answer: Callable[[int, socket.socket], object]) -> None:
    """Take connections in a thread; ``answer`` gets the number of each."""

    def take() -> None:
        taken: list[socket.socket] = []
        try:
            while True:
                taken.append(listener.accept()[0])
                answer(len(taken), taken[-1])
        except OSError:
            for connection in taken:
                connection.close()

    threading.Thread(target=take, daemon=True).start()


def test_a_server_of_grpc_lives() -> None:
    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        assert not silent_within(Pulse(port, SILENCE_S), 4 * SILENCE_S)
    finally:
        server.stop(0)


def test_one_that_is_held_still_is_missed_after_three_silences(listener: socket.socket) -> None:
    pulse = Pulse(port_of(listener), SILENCE_S)
    assert not silent_within(pulse, 2.8 * SILENCE_S)
    assert silent_within(pulse, 2.0)


def test_one_that_answers_every_third_time_is_busy(listener: socket.socket) -> None:
    accepting(listener, lambda number, connection: number % 3 or connection.send(b"x"))
    assert not silent_within(Pulse(port_of(listener), SILENCE_S), 8 * SILENCE_S)


def test_one_that_hangs_up_lives(listener: socket.socket) -> None:
    accepting(listener, lambda _, connection: connection.close())
    assert not silent_within(Pulse(port_of(listener), SILENCE_S), 5 * SILENCE_S)


def test_one_that_is_gone_is_not_silent(listener: socket.socket) -> None:
    """That its process died is seen by its process."""
    port = port_of(listener)
    listener.close()
    assert not silent_within(Pulse(port, SILENCE_S), 5 * SILENCE_S)

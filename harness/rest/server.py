"""The process: a socket, one event loop, and the simulation in between.

This is the only place where Crucible meets asyncio and the network. Nothing of the simulation runs in threads.
"""

from __future__ import annotations

import asyncio
import errno
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette

from harness.errors import InputError
from harness.rest.pace import Pace
from harness.sim.kernel import Task

BACKLOG = 2048
TICK_S = 0.02
"""How often the simulation runs when nothing is asked."""
clock = time.monotonic


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 for any that is free. InputError in one line if it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol by name: asyncio turns off Nagle's algorithm only where it finds it.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        hint = (
            "; give another --port"
            if error.errno in (errno.EADDRINUSE, errno.EACCES)
            else "; give another --host"
        )
        raise InputError(f"{host}:{port}: cannot listen: {_reason(error)}{hint}") from error
    return listener


def _reason(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "the port is in use"
    return error.strerror or str(error)


class Timekeeper:
    """Lets time pass in the event loop, and requests wait for what they have started."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._waiting: list[tuple[Task, asyncio.Future[None]]] = []

    async def perform(self, function: Callable[[], Any]) -> Any:
        """Run `function` as a task of the simulation; what it returns or raises comes back.

        Most of them are done at once; one that calls a service takes its virtual time.
        """
        task = self._pace.begin(function)
        self._tell()
        if not task.done:
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((task, waiting))
            await waiting
        return self._pace.result(task)

    async def run(self) -> None:
        """For ever: let time pass. To be cancelled."""
        while True:
            more = self._pace.catch_up(somebody_waits=bool(self._waiting))
            self._tell()
            await asyncio.sleep(0 if more else TICK_S)

    def _tell(self) -> None:
        """Wake those whose task is done."""
        done = [waiting for task, waiting in self._waiting if task.done and not waiting.done()]
        self._waiting = [pair for pair in self._waiting if not pair[0].done]
        for waiting in done:
            waiting.set_result(None)


def serve(site: Starlette, timekeeper: Timekeeper, listener: socket.socket, ready: Callable[[], None]) -> None:
    """Answer requests until the process is told to end (SIGINT, SIGTERM). `ready` is called when it does."""
    asyncio.run(_serve(site, timekeeper, listener, ready))


async def _serve(
    site: Starlette, timekeeper: Timekeeper, listener: socket.socket, ready: Callable[[], None]
) -> None:
    configuration = uvicorn.Config(
        site, log_level="warning", access_log=False, lifespan="off", server_header=False, date_header=False
    )
    server = _Server(configuration, ready)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, server.end)
    time_passes = asyncio.create_task(timekeeper.run())
    answering = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await asyncio.wait((answering, time_passes), return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await answering
    finally:
        time_passes.cancel()
    if time_passes.done() and not time_passes.cancelled():
        time_passes.result()  # a defect of the simulation ends the server, and is told


class _Server(uvicorn.Server):
    """Ends when it is told to, and then goes back to whoever called it, instead of dying of the signal."""

    def __init__(self, configuration: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(configuration)
        self._ready = ready

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The event loop does that."""
        yield

    def end(self) -> None:
        """Answer what was asked, and no more."""
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

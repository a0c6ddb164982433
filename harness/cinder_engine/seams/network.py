"""What a driver sends over the network: requests reach the fake of its array, and nothing leaves this machine.

requests, urllib3, urllib and httplib2 all hold a `http.client.HTTPConnection`, so one method of it is enough:
`connect`, which here brings a wire to the array of the back-end whose service is running, with TLS or without.
paramiko has one class that everybody makes, `SSHClient`. All other sockets are refused, as by a machine without
a network.
"""

from __future__ import annotations

import errno
import http.client
import io
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import paramiko
import urllib3.connection

from fake_backends.array import Array, Request, Response
from fake_backends.command_line import Result
from harness.cinder_engine.seams.patches import Patches
from harness.cinder_engine.seams.stage import Stage
from harness.errors import StorageError

LATENCY_US = 2_000
"""One round trip to the management of an array, and its answer."""


def reach(stage: Stage, where: str) -> Array:
    """The array of the running service's back-end. ConnectionRefusedError if it has none."""
    array = stage.array
    if array is None:
        stage.unanswered.append(where)
        raise ConnectionRefusedError(f"nobody is at {where}: crucible_array names no fake of the array")
    return array


def talk(stage: Stage, step: str, detail: str, answer: Callable[[], Any]) -> Any:
    """One exchange with the array: a named point, and the time that it takes. A planned fault breaks it off."""
    simulation = stage.playing.simulation
    try:
        simulation.visit(step, stage.mask.text(detail), cost_us=LATENCY_US)
        return answer()
    except StorageError as error:
        raise ConnectionResetError(f"{detail}: {error}") from error


# ------------------------------------------------------------------------------------------------------ HTTP


class Wire:
    """What a `HTTPConnection` holds in place of a socket: it collects a request and plays the response."""

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self._answer = answer
        self._sent = bytearray()

    def sendall(self, data: Any) -> None:
        self._sent += data

    def makefile(self, mode: str = "rb", *arguments: Any, **keywords: Any) -> io.BufferedIOBase:
        """Somebody wants to read: now the request is whole."""
        sent, self._sent = bytes(self._sent), bytearray()
        return io.BytesIO(self._answer(sent))

    def close(self) -> None:
        """Nothing is open."""

    def shutdown(self, how: int) -> None:
        """The same."""

    def settimeout(self, seconds: float | None) -> None:
        """An array that shall be late raises TimeoutError."""

    def setsockopt(self, *arguments: Any) -> None:
        """There is no socket."""

    def getpeercert(self, binary_form: bool = False) -> Any:
        """No certificate is looked at."""
        return b"" if binary_form else {}


def read_request(sent: bytes, host: str, port: int) -> Request:
    """The request in the bytes of a connection."""
    stream = io.BytesIO(sent)
    method, target, _ = stream.readline().decode("latin-1").split(" ", 2)
    fields = http.client.parse_headers(stream)
    headers = {name.lower(): value for name, value in fields.items()}
    chunked = headers.get("transfer-encoding", "").lower() == "chunked"
    body = _unchunked(stream) if chunked else stream.read()
    parts = urlsplit(target)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return Request(
        method=method, host=host, port=port, path=parts.path, query=query, headers=headers, body=body
    )


def _unchunked(stream: io.BytesIO) -> bytes:
    body = b""
    while size := int(stream.readline().partition(b";")[0] or b"0", 16):
        body += stream.read(size)
        stream.readline()
    return body


def write_response(response: Response, method: str) -> bytes:
    """A response as it is on the wire. Every connection is used once."""
    reason = http.client.responses.get(response.status, "")
    body = b"" if method == "HEAD" else response.body
    fields = {**response.headers, "Content-Length": str(len(response.body)), "Connection": "close"}
    head = [f"HTTP/1.1 {response.status} {reason}", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body


def _install_http(patches: Patches, stage: Stage) -> None:
    def connect(self: Any) -> None:
        host, port = self.host, self.port
        reach(stage, f"{host}:{port}")

        def answer(sent: bytes) -> bytes:
            request = read_request(sent, host, port)
            stage.mask.learn([request.headers, request.query, _decoded(request)])

            def asked() -> Response:
                response = reach(stage, f"{host}:{port}").http(request)
                stage.mask.learn([response.headers, _decoded(response)])
                return response

            response = talk(stage, f"http.{request.method.lower()}", request.path, asked)
            if response.status >= http.HTTPStatus.BAD_REQUEST:
                said = response.body[:200].decode("utf-8", "replace")
                stage.playing.simulation.record(f"http {response.status}", stage.mask.text(said))
            return write_response(response, request.method)

        self.sock = Wire(answer)
        self.is_verified = True  # what urllib3 would warn of

    for kind in (
        http.client.HTTPConnection,
        http.client.HTTPSConnection,
        urllib3.connection.HTTPConnection,
        urllib3.connection.HTTPSConnection,
    ):
        patches.replace(kind, "connect", connect)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        patches.environment(name, "")


def _decoded(message: Request | Response) -> Any:
    """The JSON of a message, for what is secret in it."""
    try:
        return Request.json(message)  # type: ignore[arg-type]  # both have a body
    except ValueError:
        return None


# ------------------------------------------------------------------------------------------------------- SSH


class SshClient:
    """What `cinder.ssh_utils` and `oslo_concurrency.processutils.ssh_execute` use of `paramiko.SSHClient`."""

    stage: Stage

    def __init__(self) -> None:
        self._where = ""
        self._user = ""

    def set_missing_host_key_policy(self, policy: Any) -> None:
        """Every host is who it says."""

    def load_host_keys(self, filename: str) -> None:
        """The same."""

    def load_system_host_keys(self, filename: str | None = None) -> None:
        """The same."""

    def connect(self, hostname: str, port: int = 22, username: str | None = None, **others: Any) -> None:
        """ConnectionRefusedError if there is no array."""
        self.stage.mask.learn(others)
        self._where, self._user = f"{hostname}:{port}", username or ""
        reach(self.stage, self._where)

    def get_transport(self) -> SshClient:
        """The transport is part of the client here."""
        return self

    def set_keepalive(self, interval: int) -> None:
        """Nothing is kept."""

    def is_active(self) -> bool:
        """From `connect` on."""
        return bool(self._where)

    def exec_command(self, command: str, *arguments: Any, **keywords: Any) -> tuple[Any, Any, Any]:
        """(stdin, stdout, stderr) of one command, which has ended when this returns."""
        array = reach(self.stage, self._where)
        result: Result = talk(self.stage, "ssh", command, lambda: array.ssh(command, self._user))
        return (
            SshStream("", result.rc),
            SshStream(result.stdout, result.rc),
            SshStream(result.stderr, result.rc),
        )

    def close(self) -> None:
        self._where = ""


class SshStream(io.BytesIO):
    """A stream of a command that has ended, and the channel that tells how."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text.encode())
        self.channel = self
        self._status = status

    def recv_exit_status(self) -> int:
        return self._status

    def settimeout(self, seconds: float | None) -> None:
        """Nothing is waited for."""

    def shutdown_write(self) -> None:
        """The command has read all it wants."""


# -------------------------------------------------------------------------------------------- everything else


def _install_refusals(patches: Patches, stage: Stage) -> None:
    def connect(self: Any, address: Any) -> None:
        where = ":".join(map(str, address[:2])) if isinstance(address, tuple) else str(address)
        stage.unanswered.append(where)
        raise ConnectionRefusedError(f"nobody is at {where}: no connection leaves this process")

    def connect_ex(self: Any, address: Any) -> int:
        try:
            connect(self, address)
        except ConnectionRefusedError:
            pass  # as it should be
        return errno.ECONNREFUSED

    real = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *arguments: Any, **keywords: Any) -> Any:
        try:
            socket.inet_pton(socket.AF_INET6 if ":" in str(host) else socket.AF_INET, str(host))
        except OSError:
            raise socket.gaierror(socket.EAI_NONAME, f"{host}: no name is known here") from None
        return real(host, port, *arguments, **keywords)

    patches.replace(socket.socket, "connect", connect)
    patches.replace(socket.socket, "connect_ex", connect_ex)
    patches.replace(socket, "getaddrinfo", getaddrinfo)


def install(patches: Patches, stage: Stage) -> None:
    """Replace all ways out."""
    _install_http(patches, stage)
    patches.replace(paramiko, "SSHClient", type("SSHClient", (SshClient,), {"stage": stage}))
    _install_refusals(patches, stage)

"""The array's REST API, as the driver uses it."""

from http import HTTPStatus

import requests
from cinder import exception
from cinder.i18n import _

TIMEOUT_S = 30


class Error(exception.VolumeBackendAPIException):
    """The array says no, or does not answer."""

    message = _("Norden array: %(data)s")


class NotFound(Error):
    """There is no such thing on the array."""


class Busy(Error):
    """Something depends on it, or has its name."""


class Client:
    """A session with the management of an array; a new one is opened when it has expired."""

    def __init__(self, host, port, user, password, verify):
        self._base = f"https://{host}:{port}/api/v1"
        self._credentials = {"user": user, "password": password}
        self._http = requests.Session()
        self._http.verify = bool(verify)

    def get(self, path):
        return self.request("GET", path)

    def put(self, path, body=None):
        return self.request("PUT", path, body)

    def request(self, method, path, body=None):
        """The decoded answer. Error, or one of its kinds."""
        answer = self._send(method, path, body)
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            self._log_in()
            answer = self._send(method, path, body)
        if answer.ok:
            return answer.json()
        try:
            data = answer.json()["message"]
        except ValueError:
            data = answer.text
        kinds = {HTTPStatus.NOT_FOUND: NotFound, HTTPStatus.CONFLICT: Busy}
        raise kinds.get(answer.status_code, Error)(data=data)

    def _log_in(self):
        answer = self._send("POST", "sessions", self._credentials)
        if not answer.ok:
            raise Error(data=_("login failed with status %s") % answer.status_code)
        self._http.headers["X-Session-Token"] = answer.json()["token"]

    def _send(self, method, path, body):
        try:
            return self._http.request(method, f"{self._base}/{path}", json=body, timeout=TIMEOUT_S)
        except requests.RequestException as error:
            raise Error(data=error) from error

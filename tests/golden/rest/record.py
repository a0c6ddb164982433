"""Holds the conversation with the API of the installed Cinder, and writes down what it answers.

    python -m tests.golden.rest.record

writes ``answers.json`` beside this file. Everything runs: API, scheduler, volume services and drivers, in
virtual time. In front of the router stand the middleware of ``noauth`` and of the size limit, as in Cinder's
own api-paste.ini; who is a member or a reader, and that any project exists, comes in the place of what keystone
would say.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.cinder_engine.boot import Process
from harness.control_plane.deployment import Deployment
from harness.control_plane.nova_profiles import PROFILES
from harness.rest.filters import ALLOWED
from harness.rest.noauth import ROLES
from harness.sim.simulation import Simulation
from tests.golden.rest.conversation import HOST, Reply, Step, filled, hold
from tests.golden.rest.steps import BACKENDS, STEPS

SECOND_US = 1_000_000
ANSWERS = Path(__file__).parent / "answers.json"


class Real:
    """The real Cinder, as somebody to talk to."""

    def __init__(self, process: Process, deployment: Deployment) -> None:
        from cinder.api import api_utils, versions
        from cinder.api.middleware.fault import FaultWrapper
        from cinder.api.v3.router import APIRouter
        from oslo_config import cfg
        from oslo_middleware.sizelimit import RequestBodySizeLimiter

        from harness.cinder_engine.cloud import CinderCloud

        self.cloud = CinderCloud(process, deployment, Simulation(), nova=PROFILES["32"], backends=BACKENDS)
        self._api = FaultWrapper(RequestBodySizeLimiter(_no_auth(APIRouter())))
        self._root = FaultWrapper(versions.Versions())
        api_utils.get_project = lambda context, project_id: api_utils.GenericProjectInfo(project_id, "v3")
        filters = process.home / "resource_filters.json"
        filters.write_text(json.dumps({name: list(allowed) for name, allowed in ALLOWED.items()}))
        cfg.CONF.set_override("resource_query_filters_file", str(filters))

    def ask(self, step: Step, known: Mapping[str, str]) -> Reply:
        """Let time pass, then send the request as an API process would get it."""
        kernel = self.cloud.simulation.kernel
        if step.after_s:
            kernel.wait(kernel.spawn("clock", kernel.sleep, round(step.after_s * SECOND_US)))
        self.cloud.report()
        # Only the request: what it has set off goes on when time passes.
        reply: Reply = kernel.wait(kernel.spawn("cinder-api", self._exchange, step, known))
        return reply

    def _exchange(self, step: Step, known: Mapping[str, str]) -> Reply:
        from cinder.api.openstack import wsgi

        path = filled(step.path, known)
        under_v3 = path.startswith("/v3")
        request = wsgi.Request.blank(
            path.removeprefix("/v3") if under_v3 else path,
            base_url=HOST + ("/v3" if under_v3 else ""),
            method=step.method,
        )
        request.headers["Accept"] = "application/json"
        if step.token is not None:
            request.headers["X-Auth-Token"] = step.token
        if step.version is not None:
            request.headers["OpenStack-API-Version"] = f"volume {step.version}"
        if step.body is not None or step.raw is not None:
            request.body = step.raw if step.raw is not None else json.dumps(filled(step.body, known)).encode()
            request.content_type = "application/json"
        for name, value in step.headers.items():
            request.headers[name] = value
        response = request.get_response(self._api if under_v3 else self._root)
        return Reply(response.status_int, _lower(response.headers), _decoded(response.body))


def _no_auth(application: Any) -> Any:
    """Cinder's middleware, which makes everybody an admin; a role in the user's name is taken by itself."""
    from cinder import context
    from cinder.api.middleware.auth import NoAuthMiddleware
    from cinder.api.openstack import wsgi

    plain = NoAuthMiddleware(application)

    def answer(environ: Any, start_response: Any) -> Any:
        request = wsgi.Request(environ)
        user, _, project = request.headers.get("X-Auth-Token", "").partition(":")
        name, _, role = user.partition("@")
        if role not in ROLES:
            return plain(environ, start_response)
        environ["cinder.context"] = context.RequestContext(
            user_id=name, project_id=project, is_admin=role == "admin", roles=list(ROLES[ROLES.index(role) :])
        )
        return application(environ, start_response)

    return answer


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _decoded(body: bytes) -> Any:
    if not body:
        return None
    try:
        return json.loads(body)
    except ValueError:
        return body.decode()


def main() -> None:
    """Record, and replace the file as a whole."""
    warnings.simplefilter("ignore")
    deployment = Deployment.default()
    with Process(deployment) as process:
        said = hold(STEPS, Real(process, deployment).ask)
        text = json.dumps({"cinder": process.release, "answers": said}, indent=1, sort_keys=True)
    temporary = ANSWERS.with_suffix(".new")
    temporary.write_text(text + "\n", encoding="utf-8")
    temporary.rename(ANSWERS)


if __name__ == "__main__":
    main()

"""``/clock``: see virtual time, change its pace, or let some of it pass.

    GET  /clock            {"virtual_s": 12.5, "speed": "real"}
    PUT  /clock            {"speed": "stopped" | "real" | "fast" | a number}
    POST /clock            {"advance_s": 0.001}

With the clock stopped an operator can look at each stage of a migration for as long as it takes.
"""

from __future__ import annotations

import math

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from harness.rest.json_answers import json_answer
from harness.rest.pace import FAST, REAL, SECOND_US, STOPPED, Pace

SPEEDS = {"stopped": STOPPED, "real": REAL, "fast": FAST}
SPEED_MAX = 1e6
ADVANCE_MAX_S = 30 * 86_400.0


class Change(msgspec.Struct, forbid_unknown_fields=True):
    """What a PUT says."""

    speed: str | float


class Advance(msgspec.Struct, forbid_unknown_fields=True):
    """What a POST says."""

    advance_s: float


def read_speed(text: str | float) -> float:
    """Virtual seconds per second. ValueError, with the words that would be right."""
    if isinstance(text, str) and text in SPEEDS:
        return SPEEDS[text]
    try:
        speed = float(text)
    except ValueError:
        speed = math.nan
    if not 0 <= speed <= SPEED_MAX:
        raise ValueError(f"{text!r} is no speed; give real, fast, stopped, or a number up to {SPEED_MAX:.0f}")
    return speed


def write_speed(speed: float) -> str | float:
    """The word for a speed, or its number."""
    return next((word for word, value in SPEEDS.items() if value == speed), speed)


class Clock:
    """The resource over a `Pace`."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace

    def routes(self) -> list[Route]:
        """One path, three methods."""
        return [Route("/clock", self.answer, methods=["GET", "PUT", "POST"])]

    async def answer(self, request: Request) -> Response:
        """What time it is, after what was asked for is done. 400 in one line for what cannot be meant."""
        body = await request.body()
        try:
            if request.method == "PUT":
                self._pace.speed = read_speed(msgspec.json.decode(body, type=Change).speed)
            elif request.method == "POST":
                self._pass(msgspec.json.decode(body, type=Advance).advance_s)
        except (msgspec.DecodeError, ValueError) as error:
            return json_answer({"error": str(error)}, 400)
        return json_answer({"virtual_s": self._pace.now_us / SECOND_US, "speed": write_speed(self._pace.speed)})

    def _pass(self, seconds: float) -> None:
        if not 0 <= seconds <= ADVANCE_MAX_S:
            raise ValueError(f"advance_s: {seconds} is not between 0 and {ADVANCE_MAX_S:.0f}")
        self._pace.pass_time(round(seconds * SECOND_US))

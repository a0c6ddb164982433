"""Secrets do not get into a report: neither CHAP's, nor tokens, passwords and cephx keys.

Two ways, because neither is enough: what stands where a secret would stand in a text (`oslo_utils.strutils`,
and what that does not know), and what is known to be one, because it came from an option, a header or a field
of that name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from harness.certificates import LawResult
from harness.control_plane.deployment import Deployment
from harness.results import CellResult

HIDDEN = "***"
SHORTEST = 4
"""Characters of a secret that is looked for by itself: shorter ones are in every other word."""
_SECRET = re.compile(
    r"pass(word|wd|phrase)?$|secret|token|authorization|cookie|keyring$|api_?key|private_?key|provider_auth",
    re.I,
)
"""Names of options, headers and fields whose values are secret."""
_NO_SECRET = re.compile(r"secret_uuid|_(path|file|type|method|expir\w*|timeout)$", re.I)
_IN_TEXT = re.compile(
    r"""(?ix)
    \b( (?:x-)?(?:auth|subject|session|storage)[-_]token | (?:proxy-)?authorization | (?:set-)?cookie
      | (?:auth|chap)[-_]?secret | keyring | api[-_]?key )
    (["']?\s*[:=]\s*["']?) (?:(?:basic|bearer)\s+)? [^\s"',}]+
    """
)
_CEPHX = re.compile(r"\bAQ[A-Za-z0-9+/]{36,}={0,2}")
"""A key of cephx: base64 of a header with its type, its time and 16 bytes."""


def is_secret(name: str) -> bool:
    """Whether what is called so is nobody's business."""
    return bool(_SECRET.search(name)) and not _NO_SECRET.search(name)


class Mask:
    """`always` are secrets that every cell has: those of the configuration."""

    def __init__(self, always: Iterable[str] = ()) -> None:
        self._always = {value for value in always if len(value) >= SHORTEST}
        self.forget()

    def forget(self) -> None:
        """A new cell begins: what the last one had is gone."""
        self._known = set(self._always)
        self._pattern: re.Pattern[str] | None = None

    def learn(self, thing: Any, name: str = "") -> None:
        """Remember whatever is secret in what a driver or an array has said, however deep in it."""
        if isinstance(thing, Mapping):
            for key, value in thing.items():
                self.learn(value, str(key))
        elif isinstance(thing, list | tuple):
            for each in thing:
                self.learn(each, name)
        elif isinstance(thing, str) and is_secret(name):
            # "CHAP user secret", "Bearer token": the last word is the secret.
            word = thing.split()[-1] if thing.split() else ""
            if len(word) >= SHORTEST and word not in self._known:
                self._known.add(word)
                self._pattern = None

    def text(self, text: str) -> str:
        """The same without secrets."""
        from oslo_utils import strutils  # here, because whoever only asks for the engine need not have it

        text = str(strutils.mask_password(text, secret=HIDDEN))
        text = _CEPHX.sub(HIDDEN, _IN_TEXT.sub(rf"\1\2{HIDDEN}", text))
        if self._known and self._pattern is None:
            longest_first = sorted(self._known, key=lambda value: (-len(value), value))
            alternatives = "|".join(re.escape(value) for value in longest_first)
            self._pattern = re.compile(rf"(?<![A-Za-z0-9])(?:{alternatives})(?![A-Za-z0-9])")
        return self._pattern.sub(HIDDEN, text) if self._pattern is not None else text

    def result(self, result: CellResult) -> CellResult:
        """A result whose texts are all masked."""
        replace = msgspec.structs.replace
        return replace(
            result,
            observed=replace(result.observed, reason=self.text(result.observed.reason)),
            invariants=[
                replace(each, details=[self.text(detail) for detail in each.details])
                for each in result.invariants
            ],
            timeline=[replace(event, detail=self.text(event.detail)) for event in result.timeline],
            picture={
                aspect: self.text(shown) if isinstance(shown, str) else [self.text(each) for each in shown]
                for aspect, shown in result.picture.items()
            },
            difference=self.text(result.difference),
        )

    def law(self, result: LawResult) -> LawResult:
        """What came of a law, with masked texts."""
        return msgspec.structs.replace(
            result,
            reason=self.text(result.reason),
            values={name: self.text(value) for name, value in result.values.items()},
            steps=[self.text(step) for step in result.steps],
        )


def secrets_of(deployment: Deployment) -> list[str]:
    """The values of secret options in the sections of back-ends."""
    return [
        value
        for plan in deployment.backends
        for name, value in plan.options.items()
        if is_secret(name) and value
    ]

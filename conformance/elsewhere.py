"""Drivers of Cinder: their laws are checked in another interpreter, so that this one never imports Cinder.

The interpreter is a program, `PROGRAM`. It reads one JSON document per line: first the `Recipe` of the subject,
which it answers with `Ready` or `Refused`, then `Order` after `Order`, each of which it answers with the result
of every law and `Done`. It ends when nobody can send it anything any more.
"""

from __future__ import annotations

import os
import subprocess
import sys
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import msgspec

from conformance.law import Law
from conformance.profiles import DEFAULT
from conformance.subjects import DataPath, Subject, disk, subject
from fake_backends.world import World
from harness import registry
from harness.certificates import LawResult
from harness.documents import compact
from harness.errors import InputError

PROGRAM = "harness.commands.laws_on_cinder"
END_LIMIT_S = 10.0
"""In this time it removes what it has written."""


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """What `conformance.subjects.subject` was asked for."""

    driver: str
    configs: tuple[str, ...] = ()
    backend: str | None = None
    array: str | None = None
    options: Mapping[str, str] = {}
    capabilities: Mapping[str, bool | str] = {}


class Ready(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Cinder has started. `driver` is ``package.module:Class``, `known` the list of its known failures."""

    cinder: str
    driver: str
    version: str
    digest: str
    known: str | None
    is_reference: bool


class Refused(msgspec.Struct, frozen=True, tag=True):
    """The subject cannot be had: one line for its user."""

    text: str


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Check these laws, by name; in `jobs` processes of their own, 0 for none."""

    laws: list[str]
    profile: str
    seed: int
    jobs: int


class Found(msgspec.Struct, frozen=True, tag=True):
    """What came of one law. They come in no certain order if there are several jobs."""

    result: LawResult


class Done(msgspec.Struct, frozen=True, tag=True):
    """Nothing more comes for this order."""


Answer = Ready | Refused | Found | Done


class Elsewhere:
    """A subject as `conformance.subjects.Subject` is for whoever only wants its laws checked.

    The interpreter starts when it is first needed, and ends with `close`, or with this object.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self._process: subprocess.Popen[bytes] | None = None
        self._ready: Ready | None = None

    @property
    def name(self) -> str:
        """How messages and reproducing commands call it."""
        return self.recipe.driver

    @property
    def configs(self) -> tuple[Path, ...]:
        """The cinder.conf files that it was made from."""
        return tuple(map(Path, self.recipe.configs))

    @property
    def backend(self) -> str | None:
        """The section that was asked for, if any."""
        return self.recipe.backend

    @property
    def array(self) -> str | None:
        """The fake of its array that was asked for, if any."""
        return self.recipe.array

    @property
    def ready(self) -> Ready:
        """What the interpreter says of the driver. InputError, in one line, if there is none."""
        if self._ready is None:
            self._start()
        assert self._ready is not None
        return self._ready

    @property
    def driver_path(self) -> str:
        """``package.module:Class``."""
        return self.ready.driver

    @property
    def version(self) -> str:
        """The driver's VERSION; empty if it has none."""
        return self.ready.version

    @property
    def digest(self) -> str:
        """SHA-256 of the driver's source."""
        return self.ready.digest

    @property
    def cinder(self) -> str | None:
        """The release of Cinder that runs."""
        return self.ready.cinder

    @property
    def known(self) -> str | None:
        """The name of the list of its known failures."""
        return self.ready.known

    @property
    def is_reference(self) -> bool:
        """True for the driver that the list is of, False for what is derived from it."""
        return self.ready.is_reference

    def check(
        self,
        laws: Sequence[Law],
        *,
        profile: str = DEFAULT,
        seed: int = 0,
        jobs: int = 1,
        on_result: Callable[[LawResult], None] = lambda result: None,
    ) -> list[LawResult]:
        """As `conformance.isolation.check_isolated`. InputError as for `ready`."""
        order = Order(laws=[law.name for law in laws], profile=profile, seed=seed, jobs=jobs)
        results: dict[str, LawResult] = {}
        assert self.ready
        self._send(order)
        while not isinstance(answer := self._hear(), Done):
            assert isinstance(answer, Found), answer
            results[answer.result.law] = answer.result
            on_result(answer.result)
        return [results[law.name] for law in laws]

    def close(self) -> None:
        """End the interpreter. It may start again."""
        if self._process is not None:
            self._end()
        self._process = self._ready = None

    # -------------------------------------------------------------------------------------- the other side

    def _start(self) -> None:
        # What this process can import, the other one can.
        path = os.pathsep.join([each if each else str(Path.cwd()) for each in sys.path])
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", PROGRAM],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,
        )  # fmt: skip
        self._end = weakref.finalize(self, _end, self._process)
        self._send(self.recipe)
        answer = self._hear()
        if isinstance(answer, Refused):
            self.close()
            raise InputError(answer.text)
        assert isinstance(answer, Ready), answer
        self._ready = answer

    def _send(self, document: msgspec.Struct) -> None:
        self._pipe("stdin").write(compact(document) + b"\n")
        self._pipe("stdin").flush()

    def _hear(self) -> Answer:
        """RuntimeError if the interpreter has died, which is a defect of ours."""
        line = self._pipe("stdout").readline()
        if not line:
            assert self._process is not None
            status = self._process.wait()
            raise RuntimeError(f"the interpreter that runs Cinder has died (exit status {status})")
        answer: Answer = msgspec.json.decode(line, type=Answer)
        return answer

    def _pipe(self, name: str) -> IO[bytes]:
        pipe: Any = getattr(self._process, name)
        return pipe  # type: ignore[no-any-return]


def _end(process: subprocess.Popen[bytes]) -> None:
    """It ends by itself when its input does, unless it is in the middle of something, say a driver's call."""
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        pipe.close()
    process.terminate()
    try:
        process.wait(END_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def any_subject(
    driver: str | type[Any],
    *,
    configs: Sequence[Path] = (),
    backend: str | None = None,
    array: str | None = None,
    options: Mapping[str, object] | None = None,
    path: DataPath | None = disk,
    prepare: Callable[[World], None] | None = None,
    capabilities: Mapping[str, bool | str] | None = None,
) -> Subject | Elsewhere:
    """The subject of that name, as `conformance.subjects.subject`, be it a driver of Cinder's or of Crucible's.

    Drivers of Cinder's tree, and those that are derived from its classes, are checked on the installed Cinder;
    what is wrong with one is said when its interpreter starts. `path` and `prepare` cannot be sent there.
    Raises InputError, in one line.
    """
    name = f"{driver.__module__}:{driver.__qualname__}" if isinstance(driver, type) else driver
    if not registry.is_of_cinder(name):
        return subject(
            driver, configs=configs, backend=backend, array=array, options=options, path=path,
            prepare=prepare, capabilities=capabilities,
        )  # fmt: skip
    if path is not disk or prepare is not None:
        raise InputError(
            f"{name} is a driver of Cinder, which runs in another process: name a fake of its array "
            "(array=, or crucible_array in cinder.conf) in place of path and prepare"
        )
    return Elsewhere(
        Recipe(
            driver=name,
            configs=tuple(map(str, configs)),
            backend=backend,
            array=array,
            options={key: str(value) for key, value in (options or {}).items()},
            capabilities=dict(capabilities or {}),
        )
    )

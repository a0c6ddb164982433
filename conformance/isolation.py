"""Laws in processes of their own, for drivers that may do anything: end the process, or never come back.

A worker is a fork of this process. It checks one law after another, tells what came of each, and meanwhile that
it is still there. If it ends, or says nothing for as long as it may, that is the verdict on the law that it was
at, and another worker goes on with the next one. What drivers write to the standard error of a worker goes
nowhere; what they write to its standard output, by whatever means, is noticed. No worker outlives this process.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from tempfile import TemporaryFile
from typing import IO

import msgspec

from conformance.elsewhere import Elsewhere
from conformance.law import Law
from conformance.profiles import DEFAULT
from conformance.runner import each, result_of
from conformance.subjects import Subject
from harness.certificates import LawResult
from harness.children import end_with
from harness.documents import compact

SILENCE_LIMIT_S = 120.0
"""An example takes milliseconds, and about a second where volumes move on the real Cinder."""
AGAIN_LIMIT_S = 20.0
"""For a driver that had to be killed before: the other laws shall be checked before long."""
TELL_EVERY_S = 1.0
_STILL_THERE = b""
_PRINTS = "the driver, or what it uses, prints to the standard output of the process"
LOOK_EVERY_S = 1.0


def check_isolated(
    subject: Subject | Elsewhere,
    laws: Sequence[Law],
    *,
    profile: str = DEFAULT,
    seed: int = 0,
    jobs: int = 1,
    limit_s: float = SILENCE_LIMIT_S,
    on_result: Callable[[LawResult], None] = lambda result: None,
    asker: int | None = None,
) -> list[LawResult]:
    """As `conformance.runner.check`, in `jobs` processes; the results are in the order of the laws.

    `asker` is the descriptor of a pipe from whoever wants to know, and has no more to say: EOFError when it is
    closed.
    """
    if isinstance(subject, Elsewhere):
        return subject.check(laws, profile=profile, seed=seed, jobs=jobs, on_result=on_result)
    results: dict[str, LawResult] = {}
    workers = [
        _Worker(subject, part, profile, seed, limit_s) for part in (laws[n::jobs] for n in range(jobs)) if part
    ]
    try:
        while busy := [worker for worker in workers if worker.laws]:
            listened = [worker.answers for worker in busy] + ([] if asker is None else [asker])
            if asker in wait(listened, LOOK_EVERY_S):
                raise EOFError("nobody wants to know any more")
            for worker in busy:
                while (result := worker.next_result()) is not None:
                    results[result.law] = result
                    on_result(result)
    finally:
        for worker in workers:
            worker.end()
    return [results[law.name] for law in laws]


class _Worker:
    """A process, and the laws that it has still to decide: it is at the first of them."""

    def __init__(self, subject: Subject, laws: Sequence[Law], profile: str, seed: int, limit_s: float) -> None:
        self._arguments = (subject, profile, seed)
        self._limit_s = limit_s
        self.laws = list(laws)
        self._start()

    def _start(self) -> None:
        context = get_context("fork")
        self.answers, theirs = context.Pipe(duplex=False)
        arguments = (os.getpid(), theirs, self.laws, *self._arguments)
        self._process = context.Process(target=_work, args=arguments, daemon=True)
        with warnings.catch_warnings():
            # Of libraries with a loop or threads of their own, which a worker never needs: eventlet's for one.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._process.start()
        theirs.close()
        self._heard_s = time.monotonic()  # noqa: TID251 (foreign code hangs in real time)

    def next_result(self) -> LawResult | None:
        """What came of the law that the worker is at; None while it is still busy, or has none left."""
        if not self.laws:
            return None
        now_s = time.monotonic()  # noqa: TID251 (foreign code hangs in real time)
        if self.answers.poll():
            try:
                answer = self.answers.recv_bytes()
            except (EOFError, OSError):
                self._process.join()
                return self._lost(f"the driver ends the process (exit status {self._process.exitcode})")
            self._heard_s = now_s
            if answer == _STILL_THERE:
                return None
            del self.laws[0]
            return msgspec.json.decode(answer, type=LawResult)
        if now_s - self._heard_s > self._limit_s:
            limit_s, self._limit_s = self._limit_s, min(self._limit_s, AGAIN_LIMIT_S)
            return self._lost(f"the driver does not come back within {limit_s:g} s, and had to be killed")
        return None

    def _lost(self, reason: str) -> LawResult:
        """The verdict on the law that the worker was at; another process goes on with the rest."""
        self.end()
        law = self.laws.pop(0)
        if self.laws:
            self._start()
        return result_of(law, "failed", reason=reason)

    def end(self) -> None:
        """No more laws for this process."""
        self._process.kill()
        self._process.join()
        self.answers.close()


def _work(
    parent: int, answers: Connection, laws: Sequence[Law], subject: Subject, profile: str, seed: int
) -> None:
    end_with(parent)
    os.setsid()  # signals for the whole group are for this process alone, whoever sends them
    sys.stdout.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    with TemporaryFile() as printed:
        os.dup2(printed.fileno(), 1)
        for result in each(subject, laws, profile=profile, seed=seed, on_example=_telling(answers)):
            if _emptied(printed) and result.status == "passed":
                result = msgspec.structs.replace(result, status="failed", reason=_PRINTS)
            answers.send_bytes(compact(result))


def _emptied(printed: IO[bytes]) -> bool:
    """True if there was anything in the file."""
    length = printed.seek(0, os.SEEK_CUR)
    printed.seek(0)
    return length > 0


def _telling(answers: Connection) -> Callable[[], None]:
    """What tells now and then that this process is still there."""
    told_s = time.monotonic()  # noqa: TID251 (foreign code hangs in real time)

    def tell() -> None:
        nonlocal told_s
        now_s = time.monotonic()  # noqa: TID251 (foreign code hangs in real time)
        if now_s - told_s >= TELL_EVERY_S:
            told_s = now_s
            answers.send_bytes(_STILL_THERE)

    return tell

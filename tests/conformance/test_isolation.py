"""Drivers that bring the process down take no other law with them."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import pytest

from conformance import isolation
from conformance.catalogue import select
from conformance.isolation import check_isolated
from conformance.runner import check
from conformance.subjects import subject
from fake_backends.rbd.driver import RbdDriver
from tests.orphans import killed_in_a_call, must_end


class EndsProcess(RbdDriver):
    def extend_volume(self, volume: Any, new_size: int) -> None:
        os._exit(7)


class EndsItsGroup(RbdDriver):
    def extend_volume(self, volume: Any, new_size: int) -> None:
        ctypes.CDLL(None).kill(0, signal.SIGKILL)  # past the interpreter, which would refuse it


class PrintsPastPython(RbdDriver):
    def extend_volume(self, volume: Any, new_size: int) -> Any:
        os.write(1, b"extending")
        return super().extend_volume(volume, new_size)


class IsSlow(RbdDriver):
    """Never for long, but more often than once."""

    def delete_volume(self, volume: Any) -> Any:
        time.sleep(0.4)  # noqa: TID251 (in real time)
        return super().delete_volume(volume)


class SwallowsEverything(RbdDriver):
    def extend_volume(self, volume: Any, new_size: int) -> None:
        while True:
            try:
                while True:
                    pass
            except BaseException:  # noqa: BLE001 (that is the fault)
                continue


LAWS = [
    *select((), "volumes/deleting_twice"),
    *select((), "extend/an_extended"),
    *select((), "volumes/delete_volume"),
]


def test_a_driver_that_ends_the_process_fails_that_law_only() -> None:
    """The laws before and after it are decided as ever."""
    results = check_isolated(subject(EndsProcess), LAWS, profile="smoke")
    assert [(each.status, each.reason) for each in results] == [
        ("passed", ""),
        ("failed", "the driver ends the process (exit status 7)"),
        ("failed", "the driver ends the process (exit status 7)"),
        ("passed", ""),
    ]


def test_a_driver_that_ends_its_process_group_ends_nobody_else() -> None:
    """We are in another one."""
    results = check_isolated(subject(EndsItsGroup), LAWS[:2], profile="smoke")
    assert [each.reason for each in results] == ["", "the driver ends the process (exit status -9)"]


def test_a_library_that_warns_of_forks_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eventlet does, wherever it was imported; here warnings are errors."""
    fork = os.fork

    def warning() -> int:
        warnings.warn("using fork() is a bad idea", DeprecationWarning, stacklevel=2)
        return fork()

    monkeypatch.setattr(os, "fork", warning)
    assert [each.status for each in check_isolated(subject("rbd"), LAWS[:1], profile="smoke")] == ["passed"]


def test_a_driver_that_never_comes_back_is_killed() -> None:
    """Even one that catches whatever is thrown into it."""
    results = check_isolated(subject(SwallowsEverything), LAWS[:2], profile="smoke", limit_s=0.5)
    assert [each.status for each in results] == ["passed", "failed"]
    assert results[1].reason == "the driver does not come back within 0.5 s, and had to be killed"


def test_a_driver_that_had_to_be_killed_gets_less_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that never comes back takes minutes from the first law that it meets, and not from each."""
    monkeypatch.setattr(isolation, "AGAIN_LIMIT_S", 0.2)
    results = check_isolated(subject(SwallowsEverything), LAWS[1:3], profile="smoke", limit_s=0.5)
    assert [each.reason.partition(",")[0] for each in results] == [
        "the driver does not come back within 0.5 s",
        "the driver does not come back within 0.2 s",
    ]


def test_a_law_takes_as_long_as_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is one on silence: many examples, each of which is in time, are no fault."""
    monkeypatch.setattr(isolation, "TELL_EVERY_S", 0.1)
    (result,) = check_isolated(subject(IsSlow), LAWS[:1], profile="smoke", limit_s=1.2)
    assert (result.status, result.reason) == ("passed", "")


def test_what_is_printed_past_python_is_noticed() -> None:
    """As a library in C does, or a program that was started."""
    results = check_isolated(subject(PrintsPastPython), LAWS, profile="smoke")
    assert [each.status for each in results] == ["passed", "failed", "failed", "passed"]
    assert "prints to the standard output of the process" in results[1].reason


def test_results_are_those_of_one_process() -> None:
    """In the same order, however many processes there are."""
    under_test = subject("rbd")
    laws = select((), "exports/")
    told: list[str] = []
    results = check_isolated(
        under_test, laws, profile="smoke", jobs=2, on_result=lambda result: told.append(result.law)
    )
    assert results == check(under_test, laws, profile="smoke")
    assert sorted(told) == sorted(law.name for law in laws)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parents")
def test_who_is_killed_leaves_no_worker_behind(tmp_path: Path) -> None:
    """The processes that check laws end with the one that started them, in the middle of a call."""
    (worker,) = killed_in_a_call(tmp_path, "fake_backends.rbd.driver.RbdDriver", signal.SIGKILL)
    must_end(worker)

"""The pytest plug-in: each law is a test of the driver that ``--crucible-subject`` names.

    pytest -p conformance.plugin --crucible-subject my_pkg.testing:subject

The subject is a driver (``lvm``, ``my_pkg.driver:MyDriver``), or a `conformance.Subject`, or a function that
returns one. ``-k`` and ``-m`` select, pytest-xdist distributes, JUnit reports work as for any test. What is
known to fail is marked ``xfail``, and strictly so: a law that passes then fails the run.

Nothing but pytest is imported until the option is given: the plug-in is loaded wherever Crucible is installed.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conformance.capabilities import Capabilities
    from conformance.elsewhere import Elsewhere
    from conformance.foreign.patience import Patience
    from conformance.law import Law
    from conformance.subjects import Subject
    from conformance.xfail import Expected
    from harness.certificates import LawResult


def pytest_addoption(parser: pytest.Parser) -> None:
    """What can be said on the command line."""
    group = parser.getgroup("crucible", "laws of Cinder's driver contract")
    group.addoption("--crucible-subject", metavar="DRIVER", help="check the laws against this driver")
    group.addoption("--crucible-profile", metavar="NAME", default="ci", choices=["ci", "dev", "nightly"])
    group.addoption("--crucible-seed", metavar="N", default=0, type=int)
    group.addoption(
        "--crucible-level", metavar="LEVEL", action="append", default=[], help="only laws of this level"
    )
    group.addoption("--crucible-xfail", metavar="FILE", help="failures that are known, in TOML")


def pytest_configure(config: pytest.Config) -> None:
    """Names of the markers."""
    config.addinivalue_line("markers", "crucible: a law of Cinder's driver contract")
    config.addinivalue_line("markers", "crucible_level(name): what the law counts for")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Add the laws, before ``-k`` and ``-m`` select."""
    name = config.getoption("--crucible-subject")
    if not name:
        return
    from conformance.capabilities import Capabilities
    from conformance.catalogue import select
    from conformance.foreign.patience import Patience
    from conformance.runner import COLLECTOR, as_test
    from conformance.subjects import Subject
    from harness.errors import InputError

    try:
        under_test = subject_at(name)
        laws = select(config.getoption("--crucible-level"))
        known = _known(under_test, config.getoption("--crucible-xfail"))
    except InputError as error:
        raise pytest.UsageError(str(error)) from None
    profile, seed = config.getoption("--crucible-profile"), config.getoption("--crucible-seed")
    capabilities = Capabilities(under_test, seed) if isinstance(under_test, Subject) else None
    patience = Patience()
    collector = Laws.from_parent(session, name=COLLECTOR, nodeid=COLLECTOR)
    for law in laws:
        test: Callable[[], None] = _out_of_reach
        if isinstance(under_test, Subject) and capabilities is not None:
            test = as_test(under_test, law, capabilities, profile=profile, seed=seed)
        item = LawItem.from_parent(collector, name=law.name, callobj=test)
        mine = [entry for entry in known if entry.law == law.name]
        item.prepare(under_test, law, capabilities, mine, patience)
        items.append(item)


def subject_at(name: str) -> Subject | Elsewhere:
    """The subject of that name. InputError."""
    from conformance.elsewhere import Elsewhere, any_subject
    from conformance.subjects import Subject
    from harness.errors import InputError
    from harness.registry import imported, is_of_cinder

    _, colon, attribute = name.partition(":")
    if colon and not is_of_cinder(name):
        found = getattr(imported(name), attribute, None)
        if isinstance(found, Subject | Elsewhere):
            return found
        if callable(found) and not isinstance(found, type):
            try:
                made = found()
            except InputError:
                raise
            except Exception as error:
                raise InputError(f"{name}() raises {type(error).__name__}: {error}") from error
            if isinstance(made, Subject | Elsewhere):
                return made
            raise InputError(f"{name} returned {made!r}, but should return a conformance.Subject")
    return any_subject(name)


def _known(under_test: Subject | Elsewhere, path: str | None) -> list[Expected]:
    """The user's list of known failures, and that of the reference driver. InputError for a stale entry."""
    from conformance import xfail
    from conformance.catalogue import catalogue
    from harness.errors import InputError

    entries = xfail.load(Path(path)) if path else []
    today = datetime.datetime.now(datetime.UTC).date()  # noqa: TID251 (an entry expires in real time)
    names = [law.name for law in catalogue()]
    _, wrong = xfail.apply([], entries, today, all_laws=names)
    if wrong:
        raise InputError(f"{path}: {'; '.join(wrong)}")
    return [*(entry for entry in entries if entry.is_of(under_test.cinder)), *xfail.known_of(under_test)]


class LawBroken(Exception):
    """Carries the report of a broken law to pytest."""


class LawKnown(LawBroken):
    """The same of one that broke as it is known to."""


def _out_of_reach() -> None:
    """In place of a law that is checked in another process."""


class Laws(pytest.Collector):
    """What the laws are collected below. They are in no file, so there is nothing to look for."""

    def collect(self) -> list[pytest.Item]:
        """None: `pytest_collection_modifyitems` adds them."""
        return []


class LawItem(pytest.Function):
    """One law as a test. Its function is for others, such as HypoFuzz; `runtest` says more when it fails."""

    under_test: Subject | Elsewhere
    law: Law
    capabilities: Capabilities | None
    """Of a driver of Cinder's the interpreter that checks its laws finds them out."""
    known: Sequence[Expected]
    patience: Patience

    def prepare(
        self,
        under_test: Subject | Elsewhere,
        law: Law,
        capabilities: Capabilities | None,
        known: Sequence[Expected],
        patience: Patience,
    ) -> None:
        """Give the item its law; a failure that is `known` of it becomes an xfail."""
        self.under_test, self.law, self.capabilities = under_test, law, capabilities
        self.known, self.patience = known, patience
        self.add_marker(pytest.mark.crucible)
        self.add_marker(pytest.mark.crucible_level(law.level))
        for entry in known:
            self.add_marker(pytest.mark.xfail(reason=entry.reason, strict=entry.strict, raises=LawKnown))

    def runtest(self) -> None:
        """Check the law."""
        from conformance.functions import told

        result = self._checked(
            self.config.getoption("--crucible-profile"), self.config.getoption("--crucible-seed")
        )
        self.user_properties += [
            ("level", result.level),
            ("source", result.source),
            ("examples", result.examples),
        ]
        if result.status == "skipped":
            pytest.skip(result.reason)
        if result.status != "passed":
            is_known = any(entry.covers(result) for entry in self.known)
            raise (LawKnown if is_known else LawBroken)(told(result))

    def _checked(self, profile: str, seed: int) -> LawResult:
        from conformance.elsewhere import Elsewhere
        from conformance.foreign.guard import contained
        from conformance.runner import check_law

        if isinstance(self.under_test, Elsewhere):
            return self.under_test.check([self.law], profile=profile, seed=seed)[0]
        assert self.capabilities is not None
        with contained(self.patience):
            return check_law(
                self.under_test, self.law, self.capabilities,
                profile=profile, seed=seed, patience=self.patience,
            )  # fmt: skip

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The law and its shortest sequence, and no traceback of ours."""
        return str(excinfo.value) if isinstance(excinfo.value, LawBroken) else super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where the law is said to be: it has no file of the user's."""
        return self.config.rootpath, None, f"{self.law.name}: {self.law.sentence}"

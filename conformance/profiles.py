"""How hard a law is tried: ``ci``, ``dev`` or ``nightly``."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis.configuration import set_hypothesis_home_dir
from hypothesis.internal.cache import LRUCache
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants

NAMES = ("ci", "dev", "nightly")
DEFAULT = "dev"
_EXAMPLES = {"smoke": 4, "ci": 12, "dev": 40, "nightly": 1500}


def settings_of(profile: str, weight: float) -> settings:
    """Hypothesis's settings for a law. The seed decides everything; no profile looks at the clock.

    smoke: a handful, to see that the suite itself works. ci: a fixed budget and no shrinking. dev: failures
    are shrunk. nightly: many examples, and those that failed are kept in Hypothesis's own database, where other
    tests and HypoFuzz find them, to begin with them the next time.
    """
    common: dict[str, Any] = {
        "max_examples": max(2, round(_EXAMPLES[profile] * weight)),
        "deadline": None,
        "derandomize": False,  # it is the seed that decides; on CI Hypothesis would take another one
        "verbosity": Verbosity.quiet,
        "suppress_health_check": [each for each in HealthCheck if each is not HealthCheck.nested_given],
        "report_multiple_bugs": False,
        "print_blob": False,
    }
    if profile in ("smoke", "ci"):
        return settings(database=None, phases=(Phase.explicit, Phase.generate), **common)
    if profile == "dev":
        return settings(database=None, phases=(Phase.explicit, Phase.generate, Phase.shrink), **common)
    return settings(
        # Hypothesis's default on CI is no database.
        database=settings().database or settings.get_profile("default").database,
        phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.target, Phase.shrink),
        **common,
    )


@contextmanager
def drawn_from_the_seed_alone() -> Iterator[None]:
    """While this lasts, what Hypothesis draws does not depend on which modules happen to be loaded.

    It likes constants that it has found in the sources of loaded modules: the same law with the same seed would
    be tried with other values after another law, or in another process. There is no setting for that; a release
    of Hypothesis that has renamed what is replaced here is let be, and noticed by the tests.
    """
    private = {
        "_get_local_constants": Constants,
        "CONSTANTS_CACHE": LRUCache(1024),
    }
    before = {name: getattr(providers, name) for name in private if hasattr(providers, name)}
    try:
        for name in before:
            setattr(providers, name, private[name])
        yield
    finally:
        for name, value in before.items():
            setattr(providers, name, value)


@contextmanager
def files_of(profile: str) -> Iterator[None]:
    """While this lasts, Hypothesis writes into the working directory only what the profile keeps."""
    if profile == "nightly":
        yield
        return
    with tempfile.TemporaryDirectory() as home:
        set_hypothesis_home_dir(home)
        try:
            yield
        finally:
            set_hypothesis_home_dir(None)

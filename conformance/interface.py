"""Judging the outside of drivers: have they the methods, and do these take what Cinder passes?

Nothing runs. Cinder's own check of this (`tox -e compliance`) finds no method to check on Python 3, where
methods of a class are no methods to `inspect.ismethod`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from harness.signatures import Call, Contract, DriverSignatures, misfit

SAID = {
    "VERSION": "its version (VERSION)",
    "SUPPORTED": "whether it is supported (SUPPORTED)",
    "CI_WIKI_NAME": "the name of its third-party CI (CI_WIKI_NAME)",
}


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with one driver; `kind` is import, missing, signature or attribute."""

    driver: str
    kind: str
    text: str


def judge(contract: Contract, driver: DriverSignatures) -> list[Finding]:
    """Everything that is wrong with a driver, in the order of the contract."""
    if driver.error:
        return [Finding(driver=driver.driver, kind="import", text=driver.error)]

    def found(kind: str, text: str) -> Finding:
        return Finding(driver=driver.driver, kind=kind, text=text)

    own = set(driver.own)
    required = contract.interfaces.get(contract.core, {})
    findings = [found("missing", f"has no {method}") for method in required if method not in own]
    for name, methods in contract.interfaces.items():
        if name != contract.core and name in driver.interfaces:
            findings += [
                found("missing", f"has no {each}, but is a {name}") for each in methods if each not in own
            ]
    for call in contract.calls:
        signature = driver.methods.get(call.method)
        if signature is not None and (reason := misfit(signature, call)):
            shown = ", ".join(map(str, signature))
            findings.append(found("signature", f"{call.method}({shown}) {reason} [Cinder calls {call}]"))
    findings += [
        found("attribute", f"does not say {said}")
        for name, said in SAID.items()
        if name not in driver.attributes
    ]
    return findings


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a later release asks of drivers in another way than an earlier one.

    `breaks` are the drivers of the earlier release that, as they were, do not fit any more.
    """

    text: str
    breaks: list[str] = []


def changes(before: Contract, after: Contract) -> list[Change]:
    """What changed from one release to a later one: how the manager calls drivers, then the interfaces."""
    return [*_changed_calls(before, after), *_changed_interfaces(before, after)]


def _changed_calls(before: Contract, after: Contract) -> Iterator[Change]:
    old, new = _by_method(before), _by_method(after)
    for method in sorted({*old, *new}):
        added = [call for call in new.get(method, []) if call not in old.get(method, [])]
        gone = [call for call in old.get(method, []) if call not in new.get(method, [])]
        if method not in new:
            yield Change(text=f"nobody calls {method} any more")
        elif added:
            how = "" if method in old else ", which is new"
            how = f" instead of {_listed(gone)}" if gone else how or ", too"
            broken = [each.driver for each in before.drivers if _misfits(each, added)]
            yield Change(text=f"the manager calls {_listed(added)}{how}", breaks=broken)
        elif gone:
            yield Change(text=f"nobody calls {_listed(gone)} any more")


def _by_method(contract: Contract) -> dict[str, list[Call]]:
    calls: dict[str, list[Call]] = {}
    for call in contract.calls:
        calls.setdefault(call.method, []).append(call)
    return calls


def _misfits(driver: DriverSignatures, calls: Iterable[Call]) -> bool:
    """True if a method of the driver's own does not take one of the calls.

    What a driver has from Cinder's base classes changes with them.
    """
    own = {*driver.own} - {*driver.based}
    return any(
        call.method in own and call.method in driver.methods and misfit(driver.methods[call.method], call)
        for call in calls
    )


def _changed_interfaces(before: Contract, after: Contract) -> Iterator[Change]:
    for name in sorted({*before.interfaces, *after.interfaces}):
        old, new = before.interfaces.get(name), after.interfaces.get(name)
        if old is None:
            yield Change(text=f"{name} is a new interface: {_listed(sorted(new or {}))}")
            continue
        if new is None:
            yield Change(text=f"{name} is no interface any more")
            continue
        if added := sorted({*new} - {*old}):
            must = [each for each in before.drivers if name == after.core or name in each.interfaces]
            broken = [each.driver for each in must if not each.error and {*added} - {*each.own}]
            yield Change(text=f"{name} has {_listed(added)}, too", breaks=broken)
        if gone := sorted({*old} - {*new}):
            yield Change(text=f"{name} has no {_listed(gone)} any more")
        for method in sorted({*old} & {*new}):
            if old[method] != new[method]:
                now, then = _listed(new[method]), _listed(old[method])
                yield Change(text=f"{name}.{method} is ({now}), and was ({then})")


def _listed(items: Iterable[object]) -> str:
    return ", ".join(map(str, items))

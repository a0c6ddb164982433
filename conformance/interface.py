"""Judging the outside of drivers: have they the methods, and do these take what Cinder passes?

Nothing runs. Cinder's own check of this (`tox -e compliance`) finds no method to check on Python 3, where
methods of a class are no methods to `inspect.ismethod`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from harness.signatures import Contract, DriverSignatures, misfit

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
    required = contract.interfaces.get(contract.core, [])
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


def changed(before: Contract, after: Contract) -> list[str]:
    """What the later release asks for and the earlier one did not, and whose driver that breaks."""
    lines = []
    old, new = set(before.calls), set(after.calls)
    for call in sorted(new - old):
        earlier = [each for each in sorted(old) if each.method == call.method]
        how = f"was {', '.join(map(str, earlier))}" if earlier else "is new"
        broken = [
            driver.driver
            for driver in before.drivers
            if call.method in driver.methods and misfit(driver.methods[call.method], call)
        ]
        lines.append(f"{call} {how}" + (f"; breaks {', '.join(broken)}" if broken else ""))
    methods: Mapping[str, Sequence[str]] = before.interfaces
    for name, names in after.interfaces.items():
        added = [each for each in names if each not in methods.get(name, [])]
        if added:
            lines.append(f"{name} has {', '.join(added)}, too")
    return lines

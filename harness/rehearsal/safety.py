"""Whether what is written meanwhile is safe, and who may attach the volume while it moves."""

from __future__ import annotations

from harness.matrix.rules_situation import Rule, Situation, Stage


def writes(s: Situation, rule: Rule) -> str:
    """What becomes of the guest's writes, or of the owner's."""
    if rule.outcome == "data-loss":
        return f"NOT SAFE: {rule.reason}"
    if rule.stage is Stage.API:
        return "Nothing is touched: the request is refused at once."
    if s.in_use and rule.stage is Stage.SWAP:
        return "Safe: the guest stays on its old volume, which has every write."
    if s.in_use and rule.stage is Stage.GENERIC:
        return (
            "Safe. QEMU mirrors the disk under the running guest: until it switches over, the old volume has "
            "every write, and afterwards the new one has. If it fails, the guest stays on the old volume."
        )
    if s.in_use:
        return "Safe: the guest stays on its volume, which is not copied."
    if not s.moves or _ends_early(s, rule):
        return "Safe: no data is moved."
    return "The volume is detached: nobody writes to it, as long as nobody attaches it (see below)."


def who_may_attach(s: Situation, rule: Rule) -> str:
    """What an attempt to attach the volume meets on the way."""
    if _ends_early(s, rule):
        return "Whoever might before: the volume's status does not change for longer than a moment."
    if s.in_use:
        return "Nobody else: the volume is in use. Its server cannot detach it either before this is over."
    if s.locked:
        return "Nobody: in status maintenance every request to attach or change it is refused (400)."
    if s.retype:
        return "Nobody: in status retyping every request to attach it is refused (400)."
    return (
        "ANYBODY of its project: it stays available, and what a server then writes behind the copy is lost "
        "without an error. Add --lock-volume."
    )


def _ends_early(s: Situation, rule: Rule) -> bool:
    """Before anything is copied."""
    early = (Stage.API, Stage.SCHEDULER, Stage.IN_PLACE)
    return rule.stage in early or (rule.stage is Stage.SERVICE and not s.driver_copies)

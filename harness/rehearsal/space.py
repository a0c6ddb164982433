"""How much room a migration needs on either side while it runs, and afterwards."""

from __future__ import annotations

import msgspec

from harness.matrix.rules_situation import LUKS_HEADER_MIB, Rule, Situation, Stage

QEMU_HEADER_BYTES = 2_068_480
"""What `qemu-img` puts in front of the payload of an encrypted RBD image."""
_GETS_FAR = (Stage.TEMPORARY, Stage.SWAP, Stage.GENERIC, Stage.ASSISTED)


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """Room on one back-end, GiB: what is promised to the volume, and what may be written at most."""

    backend: str
    promised_gb: float
    written_gb: float
    why: str


def needs(s: Situation, rule: Rule, size_gb: int) -> list[Need]:
    """The destination's, then what stays taken on the source until the end. Empty where nothing is copied."""
    copied = rule.stage in _GETS_FAR and not (s.rbd_moves and s.same_container)
    if not copied:
        return []
    return [_destination(s, size_gb), _source(s, size_gb)]


def _destination(s: Situation, size_gb: int) -> Need:
    written, why = _allocation(s)
    header = ""
    promised = float(size_gb)
    if s.after != "none":
        if s.to_rbd:
            promised += QEMU_HEADER_BYTES / (1 << 30)
            header = f"; the LUKS header takes {QEMU_HEADER_BYTES:,} bytes on top"
        else:
            header = f"; the LUKS header takes {LUKS_HEADER_MIB[s.after]} MiB of it away from the owner"
    return Need(
        backend=s.destination.address,
        promised_gb=promised,
        written_gb=promised if written else 0.0,
        why=why + header,
    )


def _allocation(s: Situation) -> tuple[bool, str]:
    """(Whether the whole size is taken for good, in words)."""
    to = s.destination
    if to.kind == "lvm" and not to.thin:
        return True, "a thick logical volume takes its whole size at once" + (
            ", although the source is thin" if s.source.thin else ""
        )
    if s.to_rbd and s.offline:
        return True, "Cinder writes every byte of an RBD image when it copies, so a thin volume becomes full"
    if s.swapped:
        return True, "QEMU mirrors the whole disk, so a thin volume may become full"
    if s.driver_copies:
        return False, "the driver copies what is written, so it takes what the volume really holds"
    if to.thin:
        return False, "the copy leaves out zeros, so it takes what the volume really holds"
    return True, "the copy writes every byte"


def _source(s: Situation, size_gb: int) -> Need:
    together = " as well: both are in one place" if s.same_container else ""
    return Need(
        backend=s.source.address,
        promised_gb=float(size_gb),
        written_gb=0.0,
        why=f"the old volume stays until the last step, and takes its room{together}",
    )

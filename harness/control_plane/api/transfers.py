"""Offering a volume to another project, and accepting one (`cinder.transfer.api:API`)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import NamedTuple

from harness import errors
from harness.control_plane.api.chapter import Chapter
from harness.control_plane.api.conditions import ACTIONS
from harness.control_plane.policy import authorize
from harness.model import Context, Snapshot, Transfer, Volume
from harness.sim.seeds import stream

SALT_LENGTH = 8
KEY_LENGTH = 16
"""Hexadecimal digits (`volume_transfer_salt_length`, `volume_transfer_key_length`)."""


class Offer(NamedTuple):
    """A new transfer, and the key that the other project needs; nobody is told it again."""

    transfer: Transfer
    auth_key: str


class TransferApi(Chapter):
    """available -> awaiting-transfer -> available, in another project."""

    def get_transfer(self, context: Context, transfer_id: str) -> Transfer:
        """TransferNotFound also for what another project offers."""
        authorize(context, "volume:get_transfer")
        transfer = self.cloud.database.get_transfer(transfer_id)
        if not context.is_admin and transfer.source_project_id != context.project_id:
            raise errors.TransferNotFound(transfer_id=transfer_id)
        return transfer

    def list_transfers(self, context: Context, *, all_tenants: bool = False) -> list[Transfer]:
        """Those of the caller's project; an admin may ask for all."""
        authorize(context, "volume:get_all_transfers")
        return [
            Transfer.from_row(row, self.cloud.database)
            for row in self.cloud.database.transfers.values()
            if (context.is_admin and all_tenants) or row["source_project_id"] == context.project_id
        ]

    def create(
        self,
        context: Context,
        volume_id: str,
        name: str | None = None,
        *,
        no_snapshots: bool = False,
        allow_encrypted: bool = True,
    ) -> Offer:
        """Offer an available volume with its snapshots, or without them (microversion 3.55).

        An encrypted one needs `allow_encrypted` (3.70), and goes with its snapshots only.
        """
        volume = self.get(context, volume_id)
        action = ACTIONS["create_transfer"]
        authorize(context, action.rule, volume)
        self.require(volume, action)
        if volume.encryption_key_id is not None:
            if not allow_encrypted:
                raise errors.InvalidVolume(reason="transferring encrypted volume is not supported")
            if no_snapshots:
                raise errors.InvalidVolume(
                    reason="transferring an encrypted volume without its snapshots is not supported"
                )
        for snapshot in [] if no_snapshots else volume.snapshots:
            if snapshot.status != "available":
                raise errors.InvalidSnapshot(reason=f"snapshot: {snapshot.id} status must be available")
        database = self.cloud.database
        transfer_id = database.new_id()
        chance = stream(self.cloud.seed, "transfers", transfer_id)
        salt, auth_key = (
            "".join(chance.choices("0123456789abcdef", k=length)) for length in (SALT_LENGTH, KEY_LENGTH)
        )
        if not database.conditional_update(volume, {"status": "awaiting-transfer"}, {"status": "available"}):
            raise errors.InvalidVolume(
                reason=f"Transfer {transfer_id}: Volume id {volume.id} expected in available state."
            )
        database.create(
            Transfer,
            {
                "id": transfer_id,
                "volume_id": volume.id,
                "display_name": name,
                "salt": salt,
                "crypt_hash": _hash(salt, auth_key),
                "no_snapshots": no_snapshots,
                "source_project_id": volume.project_id,
                "created_at": self.cloud.simulation.kernel.now_us,
            },
        )
        self.note("create_transfer", volume.name)
        return Offer(database.get_transfer(transfer_id), auth_key)

    def delete(self, context: Context, transfer_id: str) -> None:
        """Take the offer back; the volume is available again, if it still waited."""
        transfer = self.cloud.database.get_transfer(transfer_id)
        volume = self.get(context, transfer.volume_id)
        authorize(context, "volume:delete_transfer", volume)
        self.cloud.database.conditional_update(volume, {"status": "available"}, {"status": "awaiting-transfer"})
        del self.cloud.database.transfers[transfer_id]
        self.note("delete_transfer", volume.name)

    def accept(self, context: Context, transfer_id: str, auth_key: str) -> Transfer:
        """The volume, its snapshots and its quota go over to the caller's project."""
        authorize(context, "volume:accept_transfer")
        database = self.cloud.database
        transfer = database.get_transfer(transfer_id)
        if not hmac.compare_digest(_hash(transfer.salt, auth_key), transfer.crypt_hash):
            raise errors.InvalidAuthKey(reason=f"Attempt to transfer {transfer_id} with invalid auth key.")
        volume = database.get_volume(transfer.volume_id)
        snapshots = [] if transfer.no_snapshots else volume.snapshots
        self.cloud.quotas.check_size(context.project_id, volume.size)
        reservations = self._reserve(context, volume, snapshots)
        try:
            if volume.status == "maintenance":
                raise errors.InvalidVolume(reason="The volume cannot accept transfer in maintenance mode.")
            self.cloud.messaging.call(
                volume.service_topic_queue, "accept_transfer", volume.id, context.user_id,
                context.project_id,
            )  # fmt: skip
            self._hand_over(context, transfer)
        except Exception:
            self.cloud.quotas.rollback(reservations)
            raise
        self.cloud.quotas.commit(reservations)
        self.note("accept_transfer", f"{volume.name} by {context.project_id}")
        return transfer

    def _reserve(self, context: Context, volume: Volume, snapshots: Sequence[Snapshot]) -> list[str]:
        """Volume and snapshots, more for who takes and less for who gives."""
        of_volume = {"volumes": 1, "gigabytes": volume.size}
        of_snapshots = {"snapshots": len(snapshots), "gigabytes": sum(each.volume_size for each in snapshots)}
        reservations: list[str] = []
        try:
            for deltas in (of_volume, of_snapshots):
                if deltas is of_snapshots and not snapshots:
                    continue
                for project, sign in ((context.project_id, 1), (volume.project_id, -1)):
                    changes = {resource: sign * delta for resource, delta in deltas.items()}
                    reservations += self.cloud.reserve(project, volume.volume_type_id, changes)
        except errors.OverQuota:
            self.cloud.quotas.rollback(reservations)
            raise
        return reservations

    def _hand_over(self, context: Context, transfer: Transfer) -> None:
        """`db:transfer_accept`: the volume must still be waiting."""
        database = self.cloud.database
        volume = database.get_volume(transfer.volume_id)
        owner = {"user_id": context.user_id, "project_id": context.project_id}
        if not database.conditional_update(
            volume, {**owner, "status": "available"}, {"status": "awaiting-transfer"}
        ):
            raise errors.InvalidVolume(
                reason=f"Transfer {transfer.id}: Volume id {volume.id} expected in awaiting-transfer state."
            )
        for snapshot in [] if transfer.no_snapshots else volume.snapshots:
            snapshot.update(owner)
            snapshot.save()
        transfer.update({"destination_project_id": context.project_id, "accepted": True})
        transfer.save()
        del database.transfers[transfer.id]


def _hash(salt: str, auth_key: str) -> str:
    return hmac.new(salt.encode(), auth_key.encode(), hashlib.sha1).hexdigest()

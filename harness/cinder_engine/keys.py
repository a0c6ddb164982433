"""The key manager that Cinder and Nova share: castellan's interface over the keys of one cell."""

from __future__ import annotations

from typing import Any

from castellan.common import exception
from castellan.common.objects import symmetric_key
from castellan.key_manager import key_manager

from harness.cinder_engine.seams.stage import Stage
from harness.control_plane.encryption import KeyManager


class Castellan(key_manager.KeyManager):  # type: ignore[misc]  # castellan is untyped
    """Whoever asks is answered from the running cell; names and dates of keys are of no interest here."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    @property
    def _keys(self) -> KeyManager:
        return self._stage.playing.key_manager

    def create_key(self, context: Any, algorithm: str, length: int, **others: Any) -> str:
        return self._keys.create_key()

    def create_key_pair(self, context: Any, algorithm: str, length: int, **others: Any) -> Any:
        raise NotImplementedError

    def store(self, context: Any, managed_object: Any, **others: Any) -> str:
        """Keep a secret that somebody else made, as Cinder does for a clone."""
        key_id = self._keys.create_key()
        self._keys.keys[key_id] = managed_object.get_encoded().hex().encode()
        return key_id

    def get(self, context: Any, managed_object_id: str, metadata_only: bool = False) -> Any:
        passphrase = self._keys.keys.get(managed_object_id)
        if passphrase is None:
            raise exception.ManagedObjectNotFoundError(uuid=managed_object_id)
        secret = bytes.fromhex(passphrase.decode())
        return symmetric_key.SymmetricKey("AES", 8 * len(secret), secret, id=managed_object_id)

    def delete(self, context: Any, managed_object_id: str, force: bool = False) -> None:
        self._keys.delete_key(managed_object_id)

    def list(self, context: Any, object_type: Any = None, metadata_only: bool = False) -> list[Any]:
        return [self.get(context, key_id) for key_id in self._keys.keys]

    def add_consumer(self, context: Any, managed_object_id: str, consumer_data: Any) -> Any:
        return self.get(context, managed_object_id)

    def remove_consumer(self, context: Any, managed_object_id: str, consumer_data: Any) -> Any:
        return self.get(context, managed_object_id)

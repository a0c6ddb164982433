"""Cinder driver for Norden arrays: iSCSI, managed over REST.

Written as drivers of Cinder's tree are. Nothing in it knows of Crucible.
"""

from cinder import exception, interface
from cinder.common import constants
from cinder.i18n import _
from cinder.volume import configuration
from cinder.volume.drivers.san import san
from oslo_config import cfg
from oslo_log import log as logging
from oslo_service import loopingcall
from oslo_utils import units

from norden import client

LOG = logging.getLogger(__name__)

TASK_INTERVAL_S = 1

norden_opts = [
    cfg.StrOpt("norden_pool", help="The pool of the array that volumes are created in."),
]
cfg.CONF.register_opts(norden_opts, group=configuration.SHARED_CONF_GROUP)


@interface.volumedriver
class NordenISCSIDriver(san.SanISCSIDriver):
    """Volumes of one pool of an array, exported to each initiator by itself."""

    VERSION = "1.0.0"
    CI_WIKI_NAME = "Norden_CI"

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.configuration.append_config_values(norden_opts)
        self.client = None
        self.pool = None

    @classmethod
    def get_driver_options(cls):
        return norden_opts + cls._get_oslo_driver_opts("san_ip", "san_login", "san_password", "san_api_port")

    def do_setup(self, context):
        self.pool = self.configuration.norden_pool
        self.client = client.Client(
            self.configuration.san_ip,
            self.configuration.safe_get("san_api_port") or 443,
            self.configuration.san_login,
            self.configuration.san_password,
            verify=self.configuration.safe_get("driver_ssl_cert_verify"),
        )

    def check_for_setup_error(self):
        super().check_for_setup_error()
        if not self.pool:
            raise exception.InvalidInput(reason=_("norden_pool must be set"))
        try:
            self.client.get(f"pools/{self.pool}")
        except client.NotFound as error:
            raise exception.InvalidInput(reason=_("the array has no pool %s") % self.pool) from error

    # ------------------------------------------------------------------------------------------- volumes

    def create_volume(self, volume):
        body = {"name": volume.name, "pool": self.pool, "size": volume.size * units.Gi}
        self._do("POST", "volumes", body)

    def create_volume_from_snapshot(self, volume, snapshot):
        self._clone(volume, snapshot.volume_name, {"snapshot": snapshot.name})

    def create_cloned_volume(self, volume, src_vref):
        self._clone(volume, src_vref.name, {})

    def _clone(self, volume, source, origin):
        body = {"name": volume.name, "size": volume.size * units.Gi, **origin}
        self._do("POST", f"volumes/{source}/clone", body)

    def delete_volume(self, volume):
        try:
            self._do("DELETE", f"volumes/{volume.name}")
        except client.NotFound:
            LOG.warning("Volume %s is not on the array.", volume.name)
        except client.Busy as error:
            raise exception.VolumeIsBusy(volume_name=volume.name) from error

    def extend_volume(self, volume, new_size):
        self._do("PATCH", f"volumes/{volume.name}", {"size": new_size * units.Gi})

    def update_migrated_volume(self, ctxt, volume, new_volume, original_volume_status):
        """Let the new volume have the name that belongs to the old one's id, unless something has it still.

        `volume.name` is no such name once a volume has come from a migration that could not rename.
        """
        name = cfg.CONF.volume_name_template % volume.id
        try:
            self._do("PATCH", f"volumes/{new_volume.name}", {"name": name})
        except client.Error as error:
            if self._is_there(new_volume.name):  # an answer that was lost does not say
                LOG.warning("Volume %s keeps its name: %s", new_volume.name, error)
                return {"_name_id": new_volume.name_id, "provider_location": new_volume.provider_location}
        return {"_name_id": None, "provider_location": None}

    def _is_there(self, name):
        try:
            self.client.get(f"volumes/{name}")
        except client.NotFound:
            return False
        return True

    # ----------------------------------------------------------------------------------------- snapshots

    def create_snapshot(self, snapshot):
        self._do("POST", f"volumes/{snapshot.volume_name}/snapshots", {"name": snapshot.name})

    def delete_snapshot(self, snapshot):
        try:
            self._do("DELETE", f"volumes/{snapshot.volume_name}/snapshots/{snapshot.name}")
        except client.NotFound:
            LOG.warning("Snapshot %s is not on the array.", snapshot.name)

    # --------------------------------------------------------------------------------------- connections

    def initialize_connection(self, volume, connector):
        export = self.client.put(f"volumes/{volume.name}/exports/{connector['initiator']}")
        return {
            "driver_volume_type": "iscsi",
            "data": {
                "volume_id": volume.id,
                "target_discovered": False,
                "target_iqn": export["iqn"],
                "target_portal": export["portal"],
                "target_lun": export["lun"],
                "auth_method": "CHAP",
                "auth_username": export["user"],
                "auth_password": export["secret"],
            },
        }

    def terminate_connection(self, volume, connector, **kwargs):
        """Without a connector, from all initiators: somebody forces a detach."""
        if connector is None:
            initiators = self.client.get(f"volumes/{volume.name}")["exports"]
        elif self._is_needed_by_another(volume, connector):
            return
        else:
            initiators = [connector["initiator"]]
        for initiator in initiators:
            try:
                self._do("DELETE", f"volumes/{volume.name}/exports/{initiator}")
            except client.NotFound:
                LOG.warning("Volume %s is not exported to %s.", volume.name, initiator)

    @staticmethod
    def _is_needed_by_another(volume, connector):
        """Two servers of one host have one export. The attachment that goes is still among the others."""
        attached = [
            attachment
            for attachment in volume.volume_attachment or ()
            if attachment.attached_host == connector["host"] and attachment.attach_status == "attached"
        ]
        return len(attached) > 1

    # --------------------------------------------------------------------------------------------- stats

    def _update_volume_stats(self):
        pool = self.client.get(f"pools/{self.pool}")
        self._stats = {
            "volume_backend_name": self.configuration.safe_get("volume_backend_name") or "Norden",
            "vendor_name": "Norden",
            "driver_version": self.VERSION,
            "storage_protocol": constants.ISCSI,
            "pools": [
                {
                    "pool_name": self.pool,
                    "total_capacity_gb": pool["capacity"] / units.Gi,
                    "free_capacity_gb": (pool["capacity"] - pool["provisioned"]) / units.Gi,
                    "provisioned_capacity_gb": pool["provisioned"] / units.Gi,
                    "reserved_percentage": self.configuration.safe_get("reserved_percentage"),
                    "thick_provisioning_support": True,
                    "thin_provisioning_support": False,
                    "multiattach": True,
                }
            ],
        }

    # --------------------------------------------------------------------------------------------- tasks

    def _do(self, method, path, body=None):
        """Ask for something that the array does in the background, and wait until it has done it."""
        task_id = self.client.request(method, path, body)["task"]

        def look():
            task = self.client.get(f"tasks/{task_id}")
            if task["state"] == "failed":
                raise exception.VolumeBackendAPIException(data=task["error"])
            if task["state"] == "done":
                raise loopingcall.LoopingCallDone

        loopingcall.FixedIntervalLoopingCall(look).start(interval=TASK_INTERVAL_S).wait()

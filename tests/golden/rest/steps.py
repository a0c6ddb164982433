"""What is said: every form of request that an operator's client sends on the way, and many that it should not.

The deployment is `BACKENDS` of the embedded one.
"""

from __future__ import annotations

from typing import Any

from tests.golden.rest.conversation import MEMBER, OTHER_PROJECT, PROJECT, READER, STRANGER, Step

BACKENDS = ("lvm-a", "lvm-b", "rbd-a")
P = f"/v3/{PROJECT}"
SERVER = "5e12e125-0000-4000-8000-00000000000a"
ABSENT = "0f0f0f0f-0000-4000-8000-000000000000"


def get(path: str, **more: Any) -> Step:
    return Step("GET", path if path.startswith("/v3") else P + path, **more)


def post(path: str, body: Any = None, **more: Any) -> Step:
    return Step("POST", path if path.startswith("/v3") else P + path, body, **more)


def put(path: str, body: Any = None, **more: Any) -> Step:
    return Step("PUT", P + path, body, **more)


def delete(path: str, **more: Any) -> Step:
    return Step("DELETE", P + path, **more)


def act(name: str, body: Any, volume: str = "volume", **more: Any) -> Step:
    return post(f"/volumes/{{{volume}}}/action", {name: body}, **more)


def settled(volume: str = "volume", after_s: float = 120.0, **more: Any) -> Step:
    """How the volume stands when what goes on has come to its end."""
    return get(f"/volumes/{{{volume}}}", after_s=after_s, **more)


VERSIONS = (
    Step("GET", "/", token=None, version=None),
    Step("GET", "/v3/", version=None),
    Step("GET", "/v3/", token=None, version=None),
    get("/volumes", version=None),
    get("/volumes", version="3.72"),
    get("/volumes", version="2.0"),
    get("/volumes", version="four"),
    get("/volumes", version="3.71", headers={"OpenStack-API-Version": "volume latest"}),
    get("/volumes", version=None, headers={"OpenStack-API-Version": "compute 2.1"}),
    get("/volumes", version=None, headers={"OpenStack-API-Version": "compute 2.1, volume 3.5"}),
    get("/attachments", version="3.26"),
    get("/v3/volumes"),
    get(f"/v3/{OTHER_PROJECT}/volumes"),
    get("/nothing"),
    Step("PATCH", P + "/volumes", {}),
    get("/volumes", headers={"Accept": "text/html"}),
)

TYPES = (
    post("/types", {"volume_type": {"name": "lvm-a", "description": "thick"}},
         keep={"lvm-a-type": "volume_type.id"}),
    post("/types", {"volume_type": {"name": "lvm-a"}}),
    post("/types", {"volume_type": {"name": " "}}),
    post("/types", {"volume_type": {"description": "without a name"}}),
    post("/types", {"volume_type": {"name": "x", "colour": "red"}}),
    post("/types", {"volume_type": {"name": 5}}),
    post("/types", {"type": {"name": "x"}}),
    post("/types", {"volume_type": {"name": "x"}}, token=MEMBER),
    post("/types/{lvm-a-type}/extra_specs", {"extra_specs": {"volume_backend_name": "lvm-a"}}),
    post("/types/{lvm-a-type}/extra_specs", {"extra_specs": {"two words": "x"}}),
    put("/types/{lvm-a-type}/extra_specs/volume_backend_name", {"volume_backend_name": "lvm-a"}),
    put("/types/{lvm-a-type}/extra_specs/other", {"volume_backend_name": "lvm-a"}),
    get("/types/{lvm-a-type}/extra_specs"),
    get("/types/{lvm-a-type}/extra_specs/volume_backend_name"),
    get("/types/{lvm-a-type}/extra_specs/absent"),
    delete("/types/{lvm-a-type}/extra_specs/absent"),
    get("/types/{lvm-a-type}"),
    get("/types/{lvm-a-type}", token=MEMBER),
    get("/types/{lvm-a-type}/encryption"),
    put("/types/{lvm-a-type}", {"volume_type": {"description": "thick volumes", "is_public": True}}),
    put("/types/{lvm-a-type}", {"volume_type": {}}),
    get(f"/types/{ABSENT}"),
    post("/types", {"volume_type": {"name": "lvm-b"}}, keep={"lvm-b-type": "volume_type.id"}),
    post("/types/{lvm-b-type}/extra_specs", {"extra_specs": {"volume_backend_name": "lvm-b"}}),
    post("/types", {"volume_type": {"name": "vault"}}, keep={"vault-type": "volume_type.id"}),
    post("/types/{vault-type}/extra_specs", {"extra_specs": {"volume_backend_name": "lvm-b"}}),
    post(
        "/types/{vault-type}/encryption",
        {
            "encryption": {
                "provider": "luks", "control_location": "front-end", "cipher": "aes-xts-plain64",
                "key_size": 256,
            }
        },
    ),
    post(
        "/types/{vault-type}/encryption",
        {"encryption": {"provider": "luks", "control_location": "front-end"}},
    ),
    post("/types/{vault-type}/encryption", {"encryption": {"provider": "luks", "control_location": "middle"}}),
    post("/types/{vault-type}/encryption", {"encryption": {"provider": "luks"}}),
    get("/types/{vault-type}/encryption/provider"),
    get("/types/{vault-type}/encryption", token=MEMBER),
    post(
        "/types",
        {"volume_type": {"name": "secret", "os-volume-type-access:is_public": False}},
        keep={"secret-type": "volume_type.id"},
    ),
    get("/types/{secret-type}", token=MEMBER),
    post("/types/{secret-type}/action", {"addProjectAccess": {"project": PROJECT}}),
    post("/types/{secret-type}/action", {"addProjectAccess": {"project": PROJECT}}),
    get("/types/{secret-type}/os-volume-type-access"),
    get("/types/{lvm-a-type}/os-volume-type-access"),
    post("/types/{secret-type}/action", {"removeProjectAccess": {"project": OTHER_PROJECT}}),
    post("/types/{secret-type}/action", {"removeProjectAccess": {"project": PROJECT}}),
    post("/types/{lvm-a-type}/action", {"addProjectAccess": {"project": PROJECT}}),
    post("/types/{lvm-a-type}/action", {"paint": {}}),
    delete("/types/{secret-type}"),
    delete("/types/{secret-type}"),
    delete("/types/{vault-type}", token=MEMBER),
)  # fmt: skip

QOS = (
    post("/qos-specs", {"qos_specs": {"name": "slow", "consumer": "front-end", "read_iops_sec": "10"}},
         keep={"qos": "qos_specs.id"}),
    post("/qos-specs", {"qos_specs": {"name": "slow"}}),
    post("/qos-specs", {"qos_specs": {"consumer": "front-end"}}),
    post("/qos-specs", {"qos_specs": {"name": "odd", "consumer": "nobody"}}),
    get("/qos-specs"),
    get("/qos-specs/{qos}"),
    get("/qos-specs/{qos}", token=MEMBER),
    put("/qos-specs/{qos}", {"qos_specs": {"write_iops_sec": "20"}}),
    put("/qos-specs/{qos}/delete_keys", {"keys": ["write_iops_sec"]}),
    put("/qos-specs/{qos}/delete_keys", {"keys": ["absent"]}),
    get("/qos-specs/{qos}/associate?vol_type_id={vault-type}"),
    get("/qos-specs/{qos}/associate"),
    get(f"/qos-specs/{{qos}}/associate?vol_type_id={ABSENT}"),
    get("/qos-specs/{qos}/associations"),
    get("/types/{vault-type}"),
    delete("/qos-specs/{qos}"),
    get("/qos-specs/{qos}/disassociate?vol_type_id={vault-type}"),
    delete("/qos-specs/{qos}"),
    delete(f"/qos-specs/{ABSENT}"),
)  # fmt: skip

VOLUMES = (
    post(
        "/volumes",
        {"volume": {"size": 1, "name": " first ", "volume_type": "lvm-a", "metadata": {"purpose": "test"}}},
        token=MEMBER,
        keep={"volume": "volume.id"},
    ),
    settled(),
    settled(after_s=0, token=MEMBER),
    settled(after_s=0, token=READER),
    settled(after_s=0, token=STRANGER),
    settled(after_s=0, version="3.0"),
    settled(after_s=0, version="3.0", token=MEMBER),
    settled(after_s=0, version="3.47"),
    settled(after_s=0, version="3.62"),
    get("/volumes"),
    get("/volumes/detail", token=MEMBER),
    get("/volumes/detail?all_tenants=1"),
    get("/volumes/detail?all_tenants=1", token=STRANGER.replace(OTHER_PROJECT, PROJECT)),
    get("/volumes?status=error"),
    get("/volumes?status=available&name=first"),
    get("/volumes?migration_status=success"),
    get("/volumes?colour=red"),
    get("/volumes?colour=red", token=MEMBER),
    get("/volumes?colour=red", token=MEMBER, version="3.30"),
    get("/volumes?sort=size:asc,name"),
    get("/volumes?sort=colour"),
    get("/volumes?sort=size:sideways"),
    get("/volumes?sort=size&sort_key=name"),
    get("/volumes?limit=-1"),
    get("/volumes?limit=many"),
    get("/volumes?limit=1"),
    get("/volumes?limit=0"),
    get("/volumes?offset=-1"),
    get(f"/volumes?marker={ABSENT}"),
    get("/volumes?with_count=true"),
    get("/volumes/summary"),
    get("/volumes/summary", version="3.11"),
    post("/volumes", {"volume": {"size": 1, "volume_type": "lvm-a"}}, token=READER),
    post("/volumes", {"volume": {"size": 0, "volume_type": "lvm-a"}}),
    post("/volumes", {"volume": {"size": "big", "volume_type": "lvm-a"}}),
    post("/volumes", {"volume": {"size": 1, "volume_type": "absent"}}),
    post("/volumes", {"volume": {"size": 1, "volume_type": "lvm-a", "colour": "red"}}),
    post("/volumes", {"volume": {"size": 1, "volume_type": "lvm-a", "colour": 1}}, version="3.52"),
    post("/volumes", {"volume": {"volume_type": "lvm-a"}}),
    post("/volumes", {"volume": {"size": 1, "volume_type": "lvm-a", "multiattach": True}}),
    post("/volumes", {"volume": {"size": 1, "snapshot_id": ABSENT}}),
    post("/volumes", {"volume": {"size": 1, "snapshot_id": "no-uuid"}}),
    post("/volumes", {"volume": {"size": 100000, "volume_type": "lvm-a"}}, token=MEMBER),
    post("/volumes", {}),
    post("/volumes", []),
    post("/volumes"),
    post("/volumes", raw=b"{not json"),
    post("/volumes", raw=b'{"volume": {}}', headers={"Content-Type": "text/plain"}),
    post("/volumes", raw=b"x" * 120_000),
    put("/volumes/{volume}", {"volume": {"name": "second", "description": "renamed"}}, token=MEMBER),
    put("/volumes/{volume}", {"volume": {}}),
    put("/volumes/{volume}", {"volume": {"size": 5}}),
    put("/volumes/{volume}", {"volume": {"name": "x"}}, token=READER),
    put("/volumes/{volume}", {"volume": {"name": "x"}}, token=STRANGER),
    get("/volumes/{volume}/metadata"),
    post("/volumes/{volume}/metadata", {"metadata": {"tier": "gold"}}, token=MEMBER),
    put("/volumes/{volume}/metadata", {"metadata": {"only": "this"}}, token=MEMBER),
    put("/volumes/{volume}/metadata/only", {"meta": {"only": "that"}}),
    put("/volumes/{volume}/metadata/other", {"meta": {"only": "that"}}),
    get("/volumes/{volume}/metadata/only"),
    get("/volumes/{volume}/metadata/absent"),
    delete("/volumes/{volume}/metadata/only"),
    delete("/volumes/{volume}/metadata/only"),
    post("/volumes/{volume}/metadata", {"metadata": {"x": 1}}),
    get("/volumes/{volume}/encryption"),
    get(f"/volumes/{ABSENT}"),
    delete(f"/volumes/{ABSENT}"),
    delete("/volumes/{volume}", token=STRANGER),
    delete("/volumes/{volume}", token=READER),
)  # fmt: skip

MOVES = (
    act("os-migrate_volume", {"host": "node1@lvm-b#lvm-b"}, token=MEMBER),
    act("os-migrate_volume", {"host": "node1@nowhere#x"}),
    act("os-migrate_volume", {"host": "node1@lvm-a#lvm-a"}),
    act("os-migrate_volume", {}),
    act("os-migrate_volume", {}, version="3.15"),
    act("os-migrate_volume", {"host": "node1@lvm-b#lvm-b", "cluster": "c"}),
    act("os-migrate_volume", {"host": "node1@lvm-b#lvm-b", "lock_volume": "perhaps"}),
    act("os-migrate_volume", {"host": "node1@lvm-b#lvm-b", "speed": 5}),
    act("os-migrate_volume", {"host": "node1@lvm-b#lvm-b", "lock_volume": True}),  # its type is lvm-a only
    settled(),
    post("/volumes", {"volume": {"size": 1, "name": "free"}}, token=MEMBER, keep={"free": "volume.id"}),
    settled("free"),
    act("os-migrate_volume", {"host": "node1@lvm-b#lvm-b", "lock_volume": True}, "free"),
    settled("free", after_s=0),
    act("os-migrate_volume", {"host": "node1@lvm-b#lvm-b"}, "free"),
    act("os-extend", {"new_size": 2}, "free"),
    act("os-retype", {"new_type": "lvm-a"}, "free"),
    act("os-begin_detaching", None, "free"),
    delete("/volumes/{free}"),
    settled("free", after_s=3.0),
    get("/volumes?all_tenants=1&migration_status=migrating"),
    get("/volumes", token=MEMBER),
    settled("free"),
    settled("free", after_s=0, token=MEMBER),
    act("os-migrate_volume", {"host": "node1@rbd-a#rbd-a", "force_host_copy": "True"}, "free"),
    settled("free", after_s=3.0),
    settled("free"),
    act("os-retype", {"new_type": "lvm-b"}, token=MEMBER),
    settled(after_s=5.0),
    act("os-retype", {"new_type": "lvm-b", "migration_policy": "sometimes"}),
    act("os-retype", {"new_type": "absent"}),
    act("os-retype", {"new_type": ABSENT}),
    act("os-retype", {"new_type": "lvm-a", "migration_policy": "on-demand"}),
    act("os-retype", {"new_type": "lvm-b", "migration_policy": "on-demand"}, token=READER),
    act("os-retype", {"new_type": "lvm-b", "migration_policy": "on-demand"}, token=MEMBER),
    settled(after_s=0),
    settled(after_s=3.0),
    settled(),
    act("os-reset_status", {"status": "error"}, token=MEMBER),
    act("os-reset_status", {}),
    act("os-reset_status", {"status": "happy"}),
    act("os-reset_status", {"attach_status": "nearly"}),
    act("os-reset_status", {"migration_status": "deleting"}),
    act("os-reset_status", {"status": "deleting"}),
    act("os-reset_status", {"status": "in-use"}),
    act("os-reset_status", {"status": "Error", "migration_status": "error"}),
    settled(after_s=0),
    act("os-reset_status", {"status": "available", "migration_status": "none"}),
    settled(after_s=0),
    act("os-migrate_volume_completion", {"new_volume": ABSENT, "error": False}),
    act("os-migrate_volume_completion", {"new_volume": "{volume}"}, token=MEMBER),
    act("os-levitate", {}),
    post("/volumes/{volume}/action", {"os-extend": {"new_size": 2}, "os-retype": {}}),
    post("/volumes/{volume}/action", {}),
    post("/volumes/{volume}/action"),
    post("/volumes/{volume}/action", "text"),
    act("os-extend", {"new_size": 1}),
    act("os-extend", {"new_size": "two"}),
    act("os-extend", {"new_size": 2}, token=MEMBER),
    settled(after_s=10.0, token=MEMBER),
    act("os-set_bootable", {"bootable": True}),
    act("os-update_readonly_flag", {"readonly": "yes"}),
    settled(after_s=0, token=MEMBER),
    act("os-update_readonly_flag", {"readonly": False}),
)

SNAPSHOTS = (
    post("/snapshots", {"snapshot": {"volume_id": "{volume}", "name": "before"}}, token=MEMBER,
         keep={"snapshot": "snapshot.id"}),
    get("/snapshots/{snapshot}", after_s=10.0),
    get("/snapshots/{snapshot}", token=MEMBER, version="3.0"),
    get("/snapshots/{snapshot}", token=STRANGER),
    get("/snapshots"),
    get("/snapshots/detail?volume_id={volume}"),
    post("/snapshots", {"snapshot": {"volume_id": "{volume}", "force": False}}),
    post("/snapshots", {"snapshot": {"volume_id": ABSENT}}),
    post("/snapshots", {"snapshot": {"name": "of nothing"}}),
    put("/snapshots/{snapshot}", {"snapshot": {"name": "after", "description": "of the move"}}),
    put("/snapshots/{snapshot}", {"snapshot": {}}),
    post("/snapshots/{snapshot}/metadata", {"metadata": {"a": "b"}}),
    get("/snapshots/{snapshot}/metadata"),
    delete("/snapshots/{snapshot}/metadata/a"),
    act("os-migrate_volume", {"host": "node1@rbd-a#rbd-a"}),
    delete("/volumes/{volume}"),
    post("/volumes", {"volume": {"snapshot_id": "{snapshot}", "name": "copy", "volume_type": "lvm-b"}},
         keep={"copy": "volume.id"}),
    settled("copy", after_s=60.0),
    post("/snapshots/{snapshot}/action", {"os-reset_status": {"status": "error"}}),
    post("/snapshots/{snapshot}/action", {"os-reset_status": {"status": "happy"}}),
    delete("/volumes/{copy}"),
    get("/volumes/{copy}", after_s=60.0),
    delete("/snapshots/{snapshot}", token=READER),
    delete("/snapshots/{snapshot}", token=MEMBER),
    get("/snapshots/{snapshot}", after_s=60.0),
)  # fmt: skip

ATTACHMENTS = (
    post("/attachments", {"attachment": {"volume_uuid": "{volume}", "instance_uuid": SERVER}}, token=MEMBER,
         keep={"attachment": "attachment.id"}),
    settled(after_s=0),
    get("/attachments"),
    get("/attachments/detail", token=MEMBER),
    get("/attachments/{attachment}", token=MEMBER),
    get("/attachments/{attachment}", token=STRANGER),
    post("/attachments", {"attachment": {"volume_uuid": "{volume}", "instance_uuid": ABSENT}}),
    post("/attachments", {"attachment": {"volume_uuid": ABSENT, "instance_uuid": SERVER}}),
    post("/attachments", {"attachment": {"instance_uuid": SERVER}}),
    post("/attachments", {"attachment": {"volume_uuid": "{volume}", "instance_uuid": "server"}}),
    put("/attachments/{attachment}", {"attachment": {"connector": {}}}),
    delete("/attachments/{attachment}"),
    settled(after_s=0),
    get("/attachments/{attachment}"),
    act("os-reserve", {}),
    settled(after_s=0),
    act("os-reserve", {}),
    act("os-unreserve", {}),
)  # fmt: skip

SURROUNDINGS = (
    get("/os-services"),
    get("/os-services", version="3.0"),
    get("/os-services?host=node1@lvm-b"),
    get("/os-services", token=MEMBER),
    put("/os-services/disable-log-reason",
        {"binary": "cinder-volume", "host": "node1@lvm-b", "disabled_reason": "rehearsal"}),
    get("/os-services?host=node1@lvm-b"),
    act("os-migrate_volume", {"host": "node1@lvm-b#lvm-b"}),
    put("/os-services/enable", {"binary": "cinder-volume", "host": "node1@lvm-b"}),
    put("/os-services/disable", {"binary": "cinder-volume", "host": "node1@lvm-b"}),
    put("/os-services/enable", {"binary": "cinder-volume", "host": "nowhere"}),
    put("/os-services/enable", {"host": "node1@lvm-b"}),
    put("/os-services/enable", {"binary": "cinder-volume", "host": "node1@lvm-b"}, token=MEMBER),
    put("/os-services/freeze", {"host": "node1@lvm-b"}),
    put("/os-services/freeze", {"host": "node1@lvm-b"}),
    put("/os-services/thaw", {"host": "node1@lvm-b"}),
    put("/os-services/freeze", {"host": "node1@nowhere"}),
    put("/os-services/freeze", {}),
    get("/scheduler-stats/get_pools"),
    get("/scheduler-stats/get_pools", token=MEMBER),
    get("/scheduler-stats/get_pools?name=node1@lvm-b%23lvm-b"),
    get("/scheduler-stats/get_pools?colour=red"),
    get("/os-hosts/node1@lvm-b"),
    get("/os-hosts/nowhere"),
    get("/os-availability-zone"),
    get("/os-availability-zone", token=READER),
    get(f"/os-quota-sets/{PROJECT}"),
    get(f"/os-quota-sets/{PROJECT}?usage=True"),
    get(f"/os-quota-sets/{PROJECT}", token=MEMBER),
    get(f"/os-quota-sets/{OTHER_PROJECT}", token=MEMBER),
    put(f"/os-quota-sets/{OTHER_PROJECT}", {"quota_set": {"volumes": 0}}),
    put(f"/os-quota-sets/{OTHER_PROJECT}", {"quota_set": {"volumes": "many"}}),
    put(f"/os-quota-sets/{OTHER_PROJECT}", {"quota_set": {"colours": 3}}),
    put(f"/os-quota-sets/{OTHER_PROJECT}", {"quota_set": {}}),
    put(f"/os-quota-sets/{PROJECT}", {"quota_set": {"gigabytes": 1}}),
    post(f"/v3/{OTHER_PROJECT}/volumes", {"volume": {"size": 1, "volume_type": "lvm-a"}}, token=STRANGER),
    get(f"/os-quota-sets/{OTHER_PROJECT}/defaults"),
    delete(f"/os-quota-sets/{OTHER_PROJECT}"),
    get("/limits"),
    get("/limits", token=MEMBER),
    get("/resource_filters?resource=volume"),
    get("/resource_filters", version="3.32"),
    get("/extensions/os-hosts"),
    get("/extensions/absent"),
)  # fmt: skip

END = (
    delete("/volumes/{volume}", token=MEMBER),
    settled(after_s=0),
    settled(),
    get("/volumes?all_tenants=1"),
)

STEPS: tuple[Step, ...] = (
    *VERSIONS, *TYPES, *QOS, *VOLUMES, *MOVES, *SNAPSHOTS, *ATTACHMENTS, *SURROUNDINGS, *END
)  # fmt: skip

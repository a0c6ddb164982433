"""cinder.conf files: what they make, and what is said of those that cannot be meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.control_plane import deployment
from harness.control_plane.deployment import Deployment
from harness.errors import InputError

LVM = "volume_driver = cinder.volume.drivers.lvm.LVMVolumeDriver"
RBD = "volume_driver = cinder.volume.drivers.rbd.RBDDriver"
NFS = "volume_driver = cinder.volume.drivers.nfs.NfsDriver"
GIB = 1 << 30


def conf(directory: Path, text: str, name: str = "cinder.conf") -> Path:
    """A file with that text."""
    path = directory / name
    path.write_text(text)
    return path


def refusal(*paths: Path) -> str:
    """The text of the InputError, with the directory taken out."""
    with pytest.raises(InputError) as error:
        deployment.load(paths)
    text = str(error.value)
    assert "\n" not in text
    return text.replace(f"{paths[0].parent}/", "") if paths else text


# ------------------------------------------------------------------------------------ the embedded deployment


def test_the_default_deployment_has_thirteen_back_ends() -> None:
    """Shared and distinct volume groups, pools, clusters, shares, nodes and zones."""
    facts = {
        plan.name: (plan.address, plan.kind, plan.thin, plan.container, plan.availability_zone)
        for plan in Deployment.default().backends
    }
    assert facts == {
        "lvm-a": ("node1@lvm-a#lvm-a", "lvm", False, "node1/vg-a", "nova"),
        "lvm-b": ("node1@lvm-b#lvm-b", "lvm", False, "node1/vg-b", "nova"),
        "lvm-shared": ("node1@lvm-shared#lvm-shared", "lvm", False, "node1/vg-a", "nova"),
        "lvm-thin": ("node1@lvm-thin#lvm-thin", "lvm", True, "node1/vg-thin", "nova"),
        "rbd-a": ("node1@rbd-a#rbd-a", "rbd", True, "ceph/volumes", "nova"),
        "rbd-shared": ("node1@rbd-shared#rbd-shared", "rbd", True, "ceph/volumes", "nova"),
        "rbd-b": ("node1@rbd-b#rbd-b", "rbd", True, "ceph/fast", "nova"),
        "rbd-other": ("node1@rbd-other#rbd-other", "rbd", True, "ceph2/volumes", "nova"),
        "nfs-a": ("node1@nfs-a#nfs-a", "nfs", True, "192.0.2.101:/srv/volumes", "nova"),
        "nfs-qcow2": ("node1@nfs-qcow2#nfs-qcow2", "nfs", True, "192.0.2.101:/srv/volumes", "nova"),
        "nfs-far": ("node2@nfs-far#nfs-far", "nfs", True, "192.0.2.102:/srv/volumes", "nova"),
        "lvm-far": ("node2@lvm-far#lvm-far", "lvm", False, "node2/vg-a", "nova"),
        "lvm-zone": ("node2@lvm-zone#lvm-zone", "lvm", False, "node2/vg-z", "zone2"),
    }


def test_an_nfs_back_end_lives_on_the_shares_that_its_file_names(tmp_path: Path) -> None:
    """Options behind an export, comments, blank lines, and escaped blanks, as Cinder reads them."""
    shares = tmp_path / "nfs_shares"
    shares.write_text("# ours\n\n192.0.2.9:/srv/a -o vers=4\nnonsense\nnas:/srv/with\\040blank\n")
    path = tmp_path / "cinder.conf"
    path.write_text(f"{ENABLED}[a]\n{NFS}\nnfs_shares_config = {shares}\nnfs_qcow2_volumes = yes\n")
    plan = deployment.load([path])
    a = plan.backend("a")
    assert a.shares == ("192.0.2.9:/srv/a", "nas:/srv/with blank")
    assert (a.kind, a.thin, a.qcow2, a.takes_snapshots, a.pool) == ("nfs", True, True, False, "Generic_NFS")
    assert list(deployment.build_world(plan).shares) == list(a.shares)


def test_nfs_back_ends_have_all_their_shares_in_common_or_none(tmp_path: Path) -> None:
    """A share that is one of several for one back-end is one name space with half of another's."""
    both, one, path = (tmp_path / name for name in ("both", "one", "cinder.conf"))
    both.write_text("nas:/a\nnas:/b\n")
    one.write_text("nas:/b\n")
    path.write_text(
        "[DEFAULT]\nenabled_backends = a, b\n"
        f"[a]\n{NFS}\nnfs_shares_config = {both}\n[b]\n{NFS}\nnfs_shares_config = {one}\n"
    )
    assert refusal(path) == (
        "cinder.conf: [a] and [b] have some NFS shares in common; they must have all of them in the same "
        "order, or none"
    )


def test_a_world_has_the_storage_that_the_back_ends_name() -> None:
    """Each volume group, thin pool, cluster and pool once; worlds share nothing."""
    plan = Deployment.default()
    world, other = deployment.build_world(plan), deployment.build_world(plan)
    groups = {host: list(node.volume_groups) for host, node in world.nodes.items()}
    assert groups == {"node1": ["vg-a", "vg-b", "vg-thin"], "node2": ["vg-a", "vg-z"]}
    assert {name: list(cluster.pools) for name, cluster in world.clusters.items()} == {
        "ceph": ["volumes", "fast"], "ceph2": ["volumes"],
    }  # fmt: skip
    group = world.nodes["node1"].volume_groups["vg-a"]
    assert 0 <= deployment.VOLUME_GROUP_SIZE - group.size < GIB
    assert world.nodes["node1"].volume_groups["vg-thin"].pools() == ["vg-thin-pool"]
    group.create("volume", GIB)
    assert "volume" not in other.nodes["node1"].volume_groups["vg-a"]
    assert "volume" not in world.nodes["node2"].volume_groups["vg-a"]


def test_a_world_of_some_back_ends_has_their_storage_alone() -> None:
    """And all machines, because a back-end's connections may lead to any of them."""
    plan = Deployment.default()
    some = [plan.backend(name) for name in ("lvm-shared", "rbd-b", "nfs-a")]
    world = deployment.build_world(plan, backends=some)
    groups = {host: list(node.volume_groups) for host, node in world.nodes.items()}
    assert groups == {"node1": ["vg-a"], "node2": []}
    assert {name: list(cluster.pools) for name, cluster in world.clusters.items()} == {"ceph": ["fast"]}
    assert list(world.shares) == list(plan.backend("nfs-a").shares)


@pytest.mark.parametrize("name", [plan.name for plan in Deployment.default().backends])
def test_what_the_plan_says_is_what_the_driver_reports(name: str) -> None:
    """Pool, thinness and name of every back-end of the default deployment, from its running driver."""
    everything = Deployment.default()
    plan = everything.backend(name)
    driver = deployment.make_driver(plan, deployment.build_world(everything))
    driver.do_setup(None)  # type: ignore[arg-type]  # the reference drivers do not look at it
    driver.check_for_setup_error()
    stats = driver.get_volume_stats(refresh=True)
    pool = stats.get("pools", [{"pool_name": stats["volume_backend_name"], **stats}])[0]
    assert driver.host == plan.service
    assert stats["volume_backend_name"] == plan.volume_backend_name
    assert f"{plan.service}#{pool['pool_name']}" == plan.address
    assert pool["thin_provisioning_support"] is plan.thin


def test_back_ends_are_found_by_name() -> None:
    """KeyError for a name that no back-end has."""
    assert Deployment.default().backend("rbd-b").configuration.rbd_pool == "fast"
    with pytest.raises(KeyError):
        Deployment.default().backend("rbd-z")


# ------------------------------------------------------------------------------------------ what a file says


def test_defaults_are_those_of_cinder(tmp_path: Path) -> None:
    """And of its drivers; only the machine's name and address are ours."""
    path = conf(tmp_path, f"[DEFAULT]\nenabled_backends = a, b\n[a]\n{LVM}\n[b]\n{RBD}\n")
    lvm, rbd = deployment.load([path]).backends
    assert (lvm.address, lvm.thin, lvm.container) == ("node1@a#LVM", True, "node1/cinder-volumes")
    assert (rbd.address, rbd.cluster, rbd.container) == ("node1@b#RBD", "ceph", "ceph/rbd")
    options = lvm.configuration
    assert (options.lvm_type, options.volume_clear, options.reserved_percentage) == ("auto", "zero", 0)
    assert (options.max_over_subscription_ratio, options.target_helper) == ("20.0", "tgtadm")
    assert (options.target_ip_address, options.volumes_dir) == ("192.0.2.1", "/var/lib/cinder/volumes")
    assert options.volume_backend_name is None
    node = deployment.load([path]).nodes[0]
    assert (node.host, node.file, node.options["quota_volumes"]) == ("node1", str(path), 10)


def test_a_section_falls_back_to_backend_defaults_but_not_to_default(tmp_path: Path) -> None:
    """`cinder.volume.configuration:BackendGroupConfiguration`."""
    text = (
        "[DEFAULT]\nenabled_backends = a,b\nreserved_percentage = 7\nvolume_group = vg-default\n"
        f"[backend_defaults]\n{LVM}\nvolume_group = vg-shared\nlvm_type = default\n"
        "[a]\nvolume_group = vg-own\n[b]\nreserved_percentage = 3\n"
    )
    a, b = deployment.load([conf(tmp_path, text)]).backends
    assert (a.configuration.volume_group, b.configuration.volume_group) == ("vg-own", "vg-shared")
    assert (a.configuration.reserved_percentage, b.configuration.reserved_percentage) == (0, 3)
    assert (a.thin, a.driver, b.driver) == (False, "fake_backends.lvm.driver:LvmDriver", a.driver)


def test_neither_the_environment_nor_the_command_line_has_a_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """oslo.config would ask both."""
    monkeypatch.setenv("OS_A__VOLUME_GROUP", "vg-environment")
    monkeypatch.setattr("sys.argv", ["crucible", "--config-file", "/absent.conf"])
    path = conf(tmp_path, f"[DEFAULT]\nenabled_backends = a\n[a]\n{LVM}\nvolume_group = vg-a\n")
    assert deployment.load([path]).backends[0].container == "node1/vg-a"


def test_host_zone_and_back_end_name_can_be_set(tmp_path: Path) -> None:
    """backend_host renames the service, not the machine; the driver finds its storage all the same."""
    text = (
        "[DEFAULT]\nenabled_backends = a,b\nhost = storage7\nstorage_availability_zone = west\n"
        f"[a]\n{LVM}\nbackend_host = shared\nvolume_backend_name = gold\nvolume_group = vg\n"
        f"[b]\n{LVM}\nbackend_availability_zone = east\nvolume_backend_name = gold\nvolume_group = vg\n"
    )
    plans = deployment.load([conf(tmp_path, text)])
    a, b = plans.backends
    assert (a.address, a.node, a.availability_zone) == ("shared@a#gold", "storage7", "west")
    assert (b.address, b.node, b.availability_zone) == ("storage7@b#gold", "storage7", "east")
    assert a.container == b.container == "storage7/vg"
    world = deployment.build_world(plans)
    assert world.node("shared") is world.node("storage7")


def test_a_misspelt_option_of_our_own_is_not_ignored(tmp_path: Path) -> None:
    """Those of Cinder are, as Cinder does; nobody else would notice these."""
    path = conf(tmp_path, f"[DEFAULT]\nenabled_backends = a\n[a]\n{LVM}\ncrucible_arry = x:Y\n")
    with pytest.raises(InputError, match=r"\[a\] crucible_arry: is no option; known are crucible_array, "):
        deployment.load([path])


def test_several_files_are_several_nodes(tmp_path: Path) -> None:
    """A section that both have gets a name that tells them apart; one that is alone keeps its own."""
    first = conf(tmp_path, f"[DEFAULT]\nenabled_backends = a,b\n[a]\n{LVM}\n[b]\n{RBD}\n", "1.conf")
    second = conf(tmp_path, f"[DEFAULT]\nenabled_backends = a\n[a]\n{LVM}\n", "2.conf")
    plans = deployment.load([first, str(second)])
    assert [plan.name for plan in plans.backends] == ["a@node1", "b", "a@node2"]
    assert [plan.container for plan in plans.backends] == [
        "node1/cinder-volumes", "ceph/rbd", "node2/cinder-volumes",
    ]  # fmt: skip
    assert [node.host for node in plans.nodes] == ["node1", "node2"]


def test_one_thin_back_end_is_enough_for_a_thin_pool(tmp_path: Path) -> None:
    """A volume group may have thick and thin volumes."""
    text = f"[DEFAULT]\nenabled_backends = a,b\n[a]\n{LVM}\nlvm_type = thin\n[b]\n{LVM}\nlvm_type = default\n"
    plans = deployment.load([conf(tmp_path, text)])
    assert [plan.thin for plan in plans.backends] == [True, False]
    assert [(group.name, group.thin) for group in plans.volume_groups] == [("cinder-volumes", True)]


def test_a_driver_of_ones_own_declares_its_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Cinder's drivers do, in get_driver_options; its pool is called as its back-end is."""
    (tmp_path / "own_array.py").write_text(
        "from oslo_config import cfg\nfrom harness.driver import VolumeDriver\n"
        "class Own(VolumeDriver):\n    @classmethod\n    def get_driver_options(cls):\n"
        "        return [cfg.PortOpt('array_port', default=443), cfg.StrOpt('volume_group', default='no')]\n"
        "class Rival(Own):\n    @classmethod\n    def get_driver_options(cls):\n"
        "        return [cfg.IntOpt('array_port', default=22)]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    text = (
        "[DEFAULT]\nenabled_backends = a, b, c\n[a]\nvolume_driver = own_array.Own\narray_port = 8443\n"
        "[b]\nvolume_driver = own_array:Own\nvolume_backend_name = gold\n[c]\nvolume_driver = own_array:Rival\n"
    )
    plans = deployment.load([conf(tmp_path, text)])
    a, b, c = plans.backends
    assert [plan.configuration.array_port for plan in (a, b, c)] == [8443, 443, 443]
    assert (a.address, b.address) == ("node1@a#_pool0", "node1@b#gold")
    assert (a.kind, a.thin, a.container, a.cluster) == ("other", False, "node1@a", None)
    assert a.configuration.volume_group == "cinder-volumes"
    driver = deployment.make_driver(a, deployment.build_world(plans))
    assert (type(driver).__name__, driver.host) == ("Own", "node1@a")


# ------------------------------------------------------------------------------------------------- bad input

ENABLED = "[DEFAULT]\nenabled_backends = a\n"
BAD_FILES = {
    # the file as a whole
    "": "cinder.conf: is empty; it must have a [DEFAULT] section with enabled_backends",
    "# nothing\n\n ; here\n": "cinder.conf: is empty; it must have a [DEFAULT] section with enabled_backends",
    "[DEFAULT\n": (
        "cinder.conf: line 1, Invalid section (must end with ]): '[DEFAULT'; "
        "lines must read [section] or option = value"
    ),
    "[DEFAULT]\nenabled_backends\n": (
        "cinder.conf: line 2, No ':' or '=' found in assignment: 'enabled_backends'; "
        "lines must read [section] or option = value"
    ),
    # enabled_backends
    "[DEFAULT]\nhost = a\n": (
        "cinder.conf: [DEFAULT] enabled_backends: is missing; it must name back-end sections, such as lvm-a, "
        "with a section [lvm-a]"
    ),
    "[DEFAULT]\nenabled_backends =\n[a]\n[backend_defaults]\n[b]\n": (
        "cinder.conf: [DEFAULT] enabled_backends: is empty; it must name back-end sections, such as a, b"
    ),
    "[DEFAULT]\nenabled_backends = lvn-a\n[lvm-a]\n[rbd-a]\n": (
        "cinder.conf: [DEFAULT] enabled_backends: names lvn-a, but there is no section [lvn-a]; "
        "did you mean lvm-a?"
    ),
    "[DEFAULT]\nenabled_backends = x\n[lvm-a]\n[rbd-a]\n": (
        "cinder.conf: [DEFAULT] enabled_backends: names x, but there is no section [x]; sections: lvm-a, rbd-a"
    ),
    "[DEFAULT]\nenabled_backends = x\n": (
        "cinder.conf: [DEFAULT] enabled_backends: names x, but there is no section [x]; sections: (none)"
    ),
    "[DEFAULT]\nenabled_backends = a, a\n[a]\n": (
        "cinder.conf: [DEFAULT] enabled_backends: names a 2 times; every back-end must have its own name"
    ),
    "[DEFAULT]\nenabled_backends = a@b\n[a@b]\n": (
        "cinder.conf: [DEFAULT] enabled_backends: names a@b; a section's name must have no @ and no #"
    ),
    # volume_driver
    f"{ENABLED}[a]\nvolume_group = vg\n": (
        "cinder.conf: [a] volume_driver: is missing; it must name a driver, such as "
        "volume_driver = cinder.volume.drivers.lvm.LVMVolumeDriver"
    ),
    f"{ENABLED}[a]\nvolume_driver =\n": (
        "cinder.conf: [a] volume_driver: is empty; it must name a driver, such as "
        "volume_driver = cinder.volume.drivers.lvm.LVMVolumeDriver"
    ),
    f"{ENABLED}[a]\nvolume_driver = absent_package.Driver\n": (
        "cinder.conf: [a] volume_driver: cannot import absent_package.Driver: there is no module "
        "absent_package; install the package that has it, or correct the path"
    ),
    f"{ENABLED}[a]\nvolume_driver = cinder.volume.drivers.solidfire.SolidFireDriver\n": (
        "cinder.conf: [a] volume_driver: cinder.volume.drivers.solidfire.SolidFireDriver has no reference "
        "driver here; did you mean cinder.volume.drivers.rbd.RBDDriver? run it with --engine cinder, use one "
        "of lvm, rbd, nfs, cinder.volume.drivers.lvm.LVMVolumeDriver, cinder.volume.drivers.rbd.RBDDriver, "
        "cinder.volume.drivers.nfs.NfsDriver, or name a subclass of harness.driver.VolumeDriver as "
        "package.module:Class"
    ),
    f"{ENABLED}[a]\n{NFS}\nnfs_shares_config = /absent/shares\n": (
        "cinder.conf: [a] nfs_shares_config: NFS config file at /absent/shares cannot be read ([Errno 2] No "
        "such file or directory: '/absent/shares'); give such a file, or set nas_host and nas_share_path"
    ),
    f"{ENABLED}[a]\n{NFS}\nnfs_shares_config = /dev/null\n": (
        "cinder.conf: [a] nfs_shares_config = /dev/null: names no share; its lines must read address:/path"
    ),
    # values
    f"{ENABLED}[a]\n{LVM}\nreserved_percentage = a lot\n": (
        "cinder.conf: [a] reserved_percentage = a lot: must be an integer from 0 to 100"
    ),
    f"{ENABLED}[a]\n{LVM}\nreserved_percentage = 101\n": (
        "cinder.conf: [a] reserved_percentage = 101: must be an integer from 0 to 100"
    ),
    f"{ENABLED}[a]\n{LVM}\nlvm_type = thick\n": (
        "cinder.conf: [a] lvm_type = thick: must be one of default, thin, auto"
    ),
    f"{ENABLED}[a]\n{LVM}\nmax_over_subscription_ratio = -1\n": (
        "cinder.conf: [a] max_over_subscription_ratio = -1: must be a number such as 20.0, or auto"
    ),
    f"{ENABLED}[a]\n{LVM}\nlvm_share_target = perhaps\n": (
        "cinder.conf: [a] lvm_share_target = perhaps: must be true or false"
    ),
    f"{ENABLED}[a]\n{LVM}\nvolume_clear_size = 1025\n": (
        "cinder.conf: [a] volume_clear_size = 1025: must be an integer, at most 1024"
    ),
    f"{ENABLED}[a]\n{LVM}\nrbd_concurrent_flatten_operations = -1\n": (
        "cinder.conf: [a] rbd_concurrent_flatten_operations = -1: must be an integer, at least 0"
    ),
    f"{ENABLED}[a]\n{LVM}\nlvm_mirrors = one\n  or two\n": (
        "cinder.conf: [a] lvm_mirrors = one or two: must be an integer"
    ),
    f"{ENABLED}[a]\n{LVM}\ntarget_port = 70000\n": (
        "cinder.conf: [a] target_port = 70000: must be an integer from 0 to 65535"
    ),
    f"{ENABLED}[backend_defaults]\nlvm_type = thick\n[a]\n{LVM}\n": (
        "cinder.conf: [backend_defaults] lvm_type = thick: must be one of default, thin, auto"
    ),
    f"{ENABLED}service_down_time = soon\n[a]\n{LVM}\n": (
        "cinder.conf: [DEFAULT] service_down_time = soon: must be an integer"
    ),
    f"{ENABLED}my_ip = no address\n[a]\n{LVM}\n": (
        "cinder.conf: [DEFAULT] my_ip = no address: must be a valid host address"
    ),
    f"{ENABLED}[a]\n{LVM}\nvolume_group = $nothing\n": (
        "cinder.conf: [a] volume_group: refers to $nothing, which is no option of [DEFAULT]"
    ),
    f"{ENABLED}[a]\n{LVM}\nvolume_group = $b.volume_group\n": (
        "cinder.conf: [a] volume_group: no such group [b]"
    ),
    f"{ENABLED}[a]\n{LVM}\nvolume_group = $volume_group\n": (
        "cinder.conf: [a] volume_group: refers to itself; it must be a value"
    ),
    f"{ENABLED}[a]\n{LVM}\nvolume_group =\n": "cinder.conf: [a] volume_group: is empty; it must be a name",
    f"{ENABLED}[a]\n{LVM}\nvolume_group = vg a/b\n": (
        "cinder.conf: [a] volume_group = vg a/b: is no name that lvm2 takes; "
        "it has letters, digits and any of + _ . -, and does not begin with a hyphen"
    ),
    f"{ENABLED}[a]\n{LVM}\nrbd_pool = ../x\n": (
        "cinder.conf: [a] rbd_pool = ../x: must have no / and no @ (pool/image@snapshot)"
    ),
    f"{ENABLED}[a]\n{LVM}\nextra_capabilities = [1\n": (
        'cinder.conf: [a] extra_capabilities = [1: must be a JSON object such as {"tier": "gold"}'
    ),
    f"{ENABLED}host = a@b\n[a]\n{LVM}\n": "cinder.conf: [a] host = a@b: must have no @ and no #",
}


@pytest.mark.parametrize(("text", "expected"), BAD_FILES.items(), ids=list(BAD_FILES.values()))
def test_bad_input_is_refused_in_one_line(tmp_path: Path, text: str, expected: str) -> None:
    """File, section and option, what is wrong, and what would be right."""
    assert refusal(conf(tmp_path, text)) == expected


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """Absent, a directory, no text."""
    assert refusal(tmp_path / "absent.conf") == (
        "absent.conf: cannot be read (No such file or directory); give the path of a readable cinder.conf"
    )
    (tmp_path / "directory").mkdir()
    assert refusal(tmp_path / "directory") == (
        "directory: cannot be read (Is a directory); give the path of a readable cinder.conf"
    )
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    assert refusal(tmp_path / "binary") == "binary: is no text in UTF-8; give the path of a cinder.conf"


def test_the_same_file_twice_is_refused(tmp_path: Path) -> None:
    """By whatever path; and so are no files at all."""
    path = conf(tmp_path, f"{ENABLED}[a]\n{LVM}\n")
    assert refusal(path, path.parent / "." / ".." / tmp_path.name / path.name) == (
        "cinder.conf: is given more than once; give one file for each node"
    )
    assert refusal() == "no cinder.conf: give one file for each node"


def test_two_back_ends_with_one_name_are_refused(tmp_path: Path) -> None:
    """The service host@section must be one; volume_backend_name need not."""
    first = conf(tmp_path, f"[DEFAULT]\nhost = n\nenabled_backends = a\n[a]\n{LVM}\n", "1.conf")
    second = conf(tmp_path, f"[DEFAULT]\nhost = n\nenabled_backends = a\n[a]\n{RBD}\n", "2.conf")
    assert refusal(first, second) == (
        "2.conf: [a] host = n: the service n@a is already in 1.conf; set another host, or rename the section"
    )
    third = conf(tmp_path, f"{ENABLED}[a]\nbackend_host = n\n{RBD}\n", "3.conf")
    assert refusal(first, third) == (
        "3.conf: [a] backend_host = n: the service n@a is already in 1.conf; set another host, or rename the "
        "section"
    )


def test_a_host_of_lvm_back_ends_is_one_machine(tmp_path: Path) -> None:
    """The driver finds its volume groups by it."""
    first = conf(tmp_path, f"{ENABLED}[a]\nbackend_host = n\n{LVM}\n", "1.conf")
    second = conf(tmp_path, f"[DEFAULT]\nenabled_backends = b\n[b]\nbackend_host = n\n{LVM}\n", "2.conf")
    assert refusal(first, second) == (
        "2.conf: [b] backend_host = n: stands for node2 here and for node1 elsewhere; LVM back-ends of "
        "different nodes must have different hosts"
    )

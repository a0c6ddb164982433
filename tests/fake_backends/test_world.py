"""A world in a directory is there again for the next process, whatever the names in it are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fake_backends.block_store import CHUNK
from fake_backends.files.directory import Directory
from fake_backends.files.fake import fake_directory
from fake_backends.files.real import RealDirectory
from fake_backends.files.watched import WatchedDirectory
from fake_backends.world import World
from harness.control_plane.deployment import Deployment, build_world
from harness.errors import AlreadyExists, CrucibleError, InputError, NoSpace, StorageError
from harness.sim.faults import Fault
from harness.sim.simulation import Simulation

MIB = 1 << 20


@pytest.fixture(params=["real", "fake"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Directory:
    """An empty directory."""
    return RealDirectory(tmp_path) if request.param == "real" else fake_directory()


def fill(world: World) -> None:
    """A volume with data in a volume group, and one in a pool."""
    group = world.node("node1").add_volume_group("cinder-volumes", [100 * MIB])
    group.create("volume-1", 8 * MIB)
    device = group.open("volume-1")
    device.write(5 * MIB, b"on lvm")
    group.close(device)
    pool = world.cluster("ceph").create_pool("volumes")
    pool.create("volume-2", 8 * MIB)
    with pool.open("volume-2") as image:
        image.write(3 * MIB, b"on rbd")


def check(world: World) -> None:
    group = world.nodes["node1"].volume_groups["cinder-volumes"]
    device = group.open("volume-1")
    assert device.read(5 * MIB, 6) == b"on lvm"
    group.close(device)
    with world.clusters["ceph"].pool("volumes").open("volume-2") as image:
        assert image.read(3 * MIB, 6) == b"on rbd"


def test_a_world_is_found_again(home: Directory) -> None:
    """Hosts with their addresses, volume groups, clusters and pools, with everything in them."""
    world = World(home=home)
    world.node("first")
    fill(world)
    address = world.node("node1").address
    check(world)
    world.close()
    world = World(home=home)
    check(world)
    assert list(world.nodes) == ["first", "node1"]
    assert world.node("node1").address == address
    world.close()


def test_what_exists_is_not_made_again(home: Directory) -> None:
    """A deployment that is set up in the directory of an earlier one finds its volumes."""
    deployment = Deployment.default()
    world = build_world(deployment, home=home)
    first = deployment.volume_groups[0]
    world.nodes[first.node].volume_groups[first.name].create("volume-1", CHUNK)
    free = {group.name: group.free for node in world.nodes.values() for group in node.volume_groups.values()}
    world.cluster(deployment.pools[0][0]).pool(deployment.pools[0][1]).create("volume-2", CHUNK)
    world.close()
    again = build_world(deployment, home=home)
    assert "volume-1" in again.nodes[first.node].volume_groups[first.name]
    assert "volume-2" in again.cluster(deployment.pools[0][0]).pool(deployment.pools[0][1])
    assert free == {
        group.name: group.free for node in again.nodes.values() for group in node.volume_groups.values()
    }
    again.close()


def test_memory_keeps_nothing() -> None:
    """Two worlds in memory share nothing."""
    fill(World())
    assert World().nodes == {}


class Killed(BaseException):
    """The process ends here."""


def test_a_world_that_was_being_made_is_finished_by_the_next_process() -> None:
    """Killed before each step on files in turn: what follows finds no half of a host, group or pool."""
    killed_at = 0
    while True:
        home, steps = fake_directory(), iter(range(killed_at))

        def step(operation: str) -> None:
            if next(steps, None) is None:  # noqa: B023 - called before the next round
                raise Killed(operation)

        try:
            fill(World(home=WatchedDirectory(home, step)))
        except Killed:
            world = World(home=home)
            for group in (group for node in world.nodes.values() for group in node.volume_groups.values()):
                assert group.size == 96 * MIB
            # Whatever was made is taken as it is, and the rest is made.
            group = world.node("node1").add_volume_group("cinder-volumes", [100 * MIB])
            if "volume-1" not in group:
                assert group.free == 96 * MIB
            world.cluster("ceph").create_pool("volumes")
            killed_at += 1
        else:
            break
    assert killed_at > 10


any_name = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(name=any_name, other=any_name)
@example("..", ".")
@example("../../../../../../tmp/outside", "/tmp/outside")
@example("nul\0", "line\nbreak\x1b[31m")
@example("n" * 300, "ä" * 300)
@example("\u202e", "\U0001f512")
@example(".new", "node.json")
def test_no_name_leads_out_of_the_directory(
    tmp_path_factory: pytest.TempPathFactory, name: str, other: str
) -> None:
    """Hosts, groups, clusters, pools and images of any name are found again by it, inside the directory."""
    outside = tmp_path_factory.mktemp("outside")
    inside = outside / "inside"
    inside.mkdir()
    world = World(home=RealDirectory(inside))
    made: list[tuple[str, str]] = []
    for each in dict.fromkeys((name, other)):
        world.node(each).add_volume_group("group", [12 * MIB]).create("volume", CHUNK)
        pool = world.cluster(each).create_pool(each)
        try:
            pool.create(each, CHUNK)
            made.append((each, each))
        except StorageError:
            assert not each  # an image must have a name
    world.close()
    assert os.listdir(outside) == ["inside"]
    again = World(home=RealDirectory(inside))
    assert set(again.nodes) == set(again.clusters) == {name, other}
    assert all(image in again.clusters[each].pool(each) for each, image in made)
    again.close()


@pytest.mark.parametrize(
    "path",
    ["nodes/node1/node.json", "clusters/ceph/volumes/pool.json", "nodes/node1/lvm/cinder-volumes/pv0.img"],
)
def test_what_is_damaged_is_named(tmp_path: Path, path: str) -> None:
    """One line with the place; nothing is repaired by guessing."""
    world = World(home=RealDirectory(tmp_path))
    fill(world)
    world.close()
    (tmp_path / path).write_bytes(b"{")
    with pytest.raises(InputError, match="give another directory") as caught:
        World(home=RealDirectory(tmp_path))
    assert "\n" not in str(caught.value)
    assert (tmp_path / path).read_bytes() == b"{"


@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("point", ["lvm.lvcreate", "rbd.create", "rbd.snap_create", "lvm.lvremove"])
def test_a_planned_fault_strikes_files_as_it_strikes_memory(point: str, nth: int) -> None:
    """Every operation passes its point once, whatever it is kept in: the same plan gives the same history."""
    histories = []
    for home in (None, fake_directory()):
        with Simulation(faults=[Fault(point=point, kind="enospc", nth=nth)]) as simulation:
            outcomes: list[str] = []
            simulation.kernel.spawn("operator", work, World(simulation, home), outcomes)
            simulation.kernel.run()
            histories.append((outcomes, [(event.step, event.detail) for event in simulation.history]))
    assert histories[0] == histories[1]
    assert any("planned fault" in outcome for outcome in histories[0][0])


def work(world: World, outcomes: list[str]) -> None:
    """Make, snapshot and remove a few volumes; go on after every refusal."""
    group = world.node("node1").add_volume_group("group", [100 * MIB])
    pool = world.cluster("ceph").create_pool("pool")
    for number in range(4):
        name = f"volume-{number}"
        for step in (
            lambda name: group.create(name, CHUNK),
            lambda name: group.snapshot(name, f"_{name}", CHUNK),
            lambda name: group.remove(name, cascade=True),
            lambda name: pool.create(name, CHUNK),
            lambda name: pool.image(name).create_snapshot("s"),
        ):
            try:
                step(name)
                outcomes.append("done")
            except CrucibleError as error:
                outcomes.append(str(error))


def test_refusals_are_the_same_in_files() -> None:
    """Existing names and full groups."""
    group = World(home=fake_directory()).node("node1").add_volume_group("group", [9 * MIB])
    group.create("volume", CHUNK)
    with pytest.raises(AlreadyExists):
        group.create("volume", CHUNK)
    with pytest.raises(NoSpace):
        group.create("other", 2 * CHUNK)

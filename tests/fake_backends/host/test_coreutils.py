"""File commands on what is mounted, beside the real coreutils: the same command lines, on the same names."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from fake_backends.command_line import Result
from fake_backends.host.commands import HostCommands
from fake_backends.host.coreutils import DIRECTORY_BYTES
from fake_backends.host.paths import Host
from fake_backends.nfs.share import Share
from harness.errors import NoSpace
from harness.sim.faults import Fault
from harness.sim.simulation import Simulation

needs_coreutils = pytest.mark.skipif(
    shutil.which("truncate") is None or "GNU coreutils" not in subprocess.getoutput("du --version"),
    reason="the tools of this machine are not GNU's",
)
MIB, GIB = 1 << 20, 1 << 30
COMMANDS = """
truncate -s 1G {D}/volume
truncate -s0 {D}/volume.info
truncate -s 3M {D}/volume
truncate --size=1K {D}/small
truncate -s 1G {D}
truncate -s 1G {D}/absent/volume
truncate -s xG {D}/volume
truncate -s 1G
truncate {D}/volume
truncate --frob {D}/volume
chmod ugo+rw {D}/volume
chmod 660 {D}/volume.info
chmod u+rw {D}/small
chmod 640 {D}/absent
chmod a-w,u+x {D}/small
chmod g=r,o= {D}/small
chmod 999 {D}/volume
chmod x+foo {D}/volume
chmod 660
chmod
chown --reference={D}/volume {D}/volume.info
chown --reference={D}/absent {D}/volume
chown --reference={D}/volume {D}/absent
chown --reference={D}/volume
chown 0
chown
stat -c %s {D}/volume
stat -c %s_%a_%F_%n {D}/volume.info
stat -c %F {D}
stat -c %s {D}/absent
stat -f -c %S_%n {D}
stat -f -c %S {D}/absent
stat
stat -Z {D}
du -sb --apparent-size --exclude *snapshot* {D}/volume
du --bytes -s {D}/volume {D}/small
du -s --apparent-size --block-size=1M {D}/volume
du -sb {D}/absent
du -sb --exclude *lume* {D}/volume
du --frob {D}
rm -f {D}/volume
rm -f {D}/volume
rm {D}/volume
rm {D}
rm -f
rm
mkdir -p {D}
mkdir {D}
mkdir {D}/absent/below
mkdir -p {D}/small
mkdir
df -P {D}/absent
df --frob
"""


def lines(directory: Path) -> list[list[str]]:
    return [line.replace("{D}", str(directory)).split() for line in COMMANDS.strip().splitlines()]


def real(argv: list[str]) -> Result:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"})
    return Result(done.stdout, done.stderr, done.returncode)


def machine(directory: str) -> HostCommands:
    """With a share of 10 GiB mounted there."""
    host = Host("host")
    host.mount(directory, Share("192.0.2.101:/srv", 10 * GIB), source="192.0.2.101:/srv", type="nfs")
    return HostCommands(host)


@needs_coreutils
def test_commands_say_what_the_real_ones_say(tmp_path: Path) -> None:
    """Both streams and the status, step by step; and the files are the same after each."""
    commands = machine(str(tmp_path))
    for argv in lines(tmp_path):
        assert commands.execute(argv) == real(argv), argv
        files = {path.name: (path.stat().st_size, path.stat().st_mode & 0o777) for path in tmp_path.iterdir()}
        host = commands.host
        shown = {name: host.file(f"{tmp_path}/{name}") for name in host.names(str(tmp_path))}
        assert {name: (file.size, file.mode) for name, file in shown.items() if file} == files, argv


@needs_coreutils
def test_a_directory_counts_with_the_files_in_it(tmp_path: Path) -> None:
    """But for those that are excluded; the directory's own size depends on its file system."""
    commands = machine(str(tmp_path))
    for words in (["truncate", "-s", "1G", f"{tmp_path}/{name}"] for name in ("a", "b", "a-snapshot-1")):
        commands.execute(words)
        real(words)
    for argv in (["du", "-sb", "--apparent-size", "--exclude", "*snapshot*"], ["du", "--bytes", "-s"]):
        own = tmp_path.stat().st_size
        ours, theirs = (int(run([*argv, str(tmp_path)]).stdout.split()[0]) for run in (commands.execute, real))
        assert ours - DIRECTORY_BYTES == theirs - own


@needs_coreutils
def test_a_mount_point_that_is_excluded_is_not_shown_at_all() -> None:
    """Cinder's ``--exclude *snapshot*`` matches the path that it asks for, too."""
    argv = ["du", "-sb", "--exclude", "*snapshot*", "/tmp/snapshots"]
    Path("/tmp/snapshots").mkdir(exist_ok=True)
    assert machine("/tmp/snapshots").execute(argv) == real(argv) == Result()


@needs_coreutils
def test_df_has_the_columns_of_the_real_one(tmp_path: Path) -> None:
    """Cinder takes the second and the fourth of the second line; used and free make up the whole here."""
    commands = machine(str(tmp_path))
    commands.execute(["dd", "if=/dev/zero", f"of={tmp_path}/volume", "bs=1M", "count=1024"])
    argv = ["df", "--portability", "--block-size", "1", str(tmp_path)]
    ours, theirs = commands.execute(argv).stdout.splitlines(), real(argv).stdout.splitlines()
    assert ours[0].split() == theirs[0].split()
    assert ours[1].split() == [
        "192.0.2.101:/srv", str(10 * GIB), str(GIB), str(9 * GIB), "10%", str(tmp_path)
    ]  # fmt: skip
    for header, row in (ours, theirs):
        assert header.index("Mounted") == row.rindex(" ") + 1
        ends = [[word.end() for word in re.finditer(r"\S+", line)][1:5] for line in (header, row)]
        assert ends[0] == ends[1]


def test_statistics_are_those_of_the_share(tmp_path: Path) -> None:
    """As Cinder's NFS driver asks: block size, blocks, blocks that are free."""
    commands = machine("/mnt/share")
    commands.execute(["dd", "if=/dev/zero", "of=/mnt/share/volume", "bs=1M", "count=1024"])
    assert commands.execute(["stat", "-f", "-c", "%S %b %a", "/mnt/share"]).stdout == (
        f"4096 {10 * GIB // 4096} {9 * GIB // 4096}\n"
    )


@pytest.mark.parametrize(
    ("argv", "point"),
    [
        ("truncate -s 1M /mnt/new", "nfs.truncate"),
        ("chmod 660 /mnt/volume", "nfs.chmod"),
        ("rm -f /mnt/volume", "nfs.rm"),
        ("chown 0 /mnt/volume", "host.chown"),
        ("mkdir -p /mnt2", "host.mkdir"),
        ("stat -f -c %S /mnt", "host.stat"),
        ("du -sb /mnt", "host.du"),
        ("df -P /mnt", "host.df"),
    ],
)
def test_every_command_can_be_struck(argv: str, point: str) -> None:
    """It says so, with status 1, and has changed nothing."""
    simulation = Simulation(faults=[Fault(point=point, kind="eio")])
    share = Share("192.0.2.101:/srv", 10 * GIB)
    host = Host("host", simulation)
    host.mount("/mnt", share)
    share.create("volume").truncate(MIB)
    share.points = simulation
    results: list[Result] = []
    simulation.kernel.spawn("cinder", lambda: results.append(HostCommands(host).execute(argv.split())))
    simulation.kernel.run()
    (result,) = results
    assert (result.stdout, result.rc) == ("", 1)
    assert result.stderr.startswith(f"{argv.split()[0]}: ")
    assert "Input/output error" in result.stderr
    assert share.names() == ["volume"]
    assert share.file("volume").mode == 0o644


def test_a_full_share_refuses_what_does_not_fit() -> None:
    """dd says how far it came; the file has as much."""
    commands = machine("/mnt")
    result = commands.execute(["dd", "if=/dev/zero", "of=/mnt/volume", "bs=1M", "count=20480"])
    assert result.rc == 1
    assert "No space left on device" in result.stderr
    file = commands.host.file("/mnt/volume")
    assert file is not None
    assert file.size == 10 * GIB
    with pytest.raises(NoSpace):
        file.write(file.size, b"more")

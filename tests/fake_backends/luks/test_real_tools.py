"""What cryptsetup and qemu-img make of our containers, and we of theirs."""

from __future__ import annotations

import errno
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from fake_backends import luks
from fake_backends.block_store import MemoryDevice
from harness.errors import StorageError

KEY = b"secret"
MIB = 1 << 20
PLAIN = bytes(range(256)) * 32

ToFile = Callable[[MemoryDevice], Path]
FromFile = Callable[[Path], MemoryDevice]


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)


def key_file(directory: Path, key: bytes) -> Path:
    path = directory / f"key-{key.decode()}"
    path.write_bytes(key)
    return path


@pytest.mark.parametrize("name", ["cryptsetup-luks1", "cryptsetup-luks2", "qemu-img-aes128"])
def test_recorded_containers_open(recorded: Callable[[str], MemoryDevice], name: str) -> None:
    """The tools' own headers: the right key shows the plaintext, a wrong one is refused with EPERM."""
    device = recorded(name)
    assert luks.LuksDevice(device, KEY).read(0, len(PLAIN)) == PLAIN
    with pytest.raises(StorageError, match=r"No key available with this passphrase\.") as caught:
        luks.LuksDevice(device, b"wrong")
    assert caught.value.errno == errno.EPERM


@pytest.mark.parametrize("key_size", [256, 512])
@pytest.mark.parametrize("provider", ["luks", "luks2"])
def test_cryptsetup_opens_what_we_write(
    cryptsetup: str, to_file: ToFile, tmp_path: Path, provider: str, key_size: int
) -> None:
    """With either of two passphrases; not with another one, nor with one that was erased again."""
    device = MemoryDevice(20 * MIB)
    luks.format(device, provider=provider, key=KEY, key_size=key_size)
    assert luks.add_key(device, KEY, b"second") == 1
    assert luks.add_key(device, KEY, b"third") == 2
    luks.erase_key(device, 1)
    path = to_file(device)
    assert run(cryptsetup, "isLuks", path).returncode == 0
    for key, status in ((b"secret", 0), (b"third", 0), (b"second", 2), (b"wrong", 2)):
        done = run(cryptsetup, "open", "--test-passphrase", "--key-file", key_file(tmp_path, key), path)
        assert (done.returncode, key) == (status, key)
    header = luks.read_header(device)
    dump = run(cryptsetup, "luksDump", path).stdout
    assert header.uuid in dump
    assert run(cryptsetup, "luksUUID", path).stdout == f"{header.uuid}\n"


@pytest.mark.parametrize(("version", "kdf"), [("luks1", "pbkdf2"), ("luks2", "pbkdf2"), ("luks2", "argon2id")])
def test_we_open_what_cryptsetup_formats(
    cryptsetup: str, from_file: FromFile, tmp_path: Path, version: str, kdf: str
) -> None:
    """The header is found, the right key opens it, a wrong one does not."""
    path = tmp_path / "container"
    with path.open("wb") as file:
        file.truncate(20 * MIB)
    cost = ["--pbkdf-memory", "64", "--pbkdf-force-iterations", "4"] if kdf == "argon2id" else [
        "--pbkdf-force-iterations", "1000"
    ]  # fmt: skip
    done = run(
        cryptsetup, "luksFormat", "-q", "--type", version, "--pbkdf", kdf, *cost,
        "--key-file", key_file(tmp_path, KEY), path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    device = from_file(path)
    payload = luks.LuksDevice(device, KEY)
    assert payload.payload_offset == luks.CRYPTSETUP_OFFSET["luks" if version == "luks1" else "luks2"]
    with pytest.raises(StorageError, match="No key available"):
        luks.LuksDevice(device, b"wrong")


def test_qemu_img_reads_our_plaintext(qemu_img: str, to_file: ToFile, tmp_path: Path) -> None:
    """``qemu-img convert`` from a container that we wrote, zeros included."""
    device = MemoryDevice(4 * MIB)
    luks.format(device, provider="luks", key=KEY)
    payload = luks.LuksDevice(device, KEY)
    payload.write(0, PLAIN)
    payload.write(MIB, bytes(8192))
    payload.write(payload.size - 700, b"e" * 700)
    plain = tmp_path / "plain"
    options = f"driver=luks,key-secret=s,file.filename={to_file(device)}"
    secret = f"secret,id=s,file={key_file(tmp_path, KEY)}"
    done = run(qemu_img, "convert", "-O", "raw", "--object", secret, "--image-opts", options, plain)
    assert done.returncode == 0, done.stderr
    data = plain.read_bytes()
    assert len(data) == payload.size
    assert data.startswith(PLAIN)
    assert data[MIB : MIB + 8192] == bytes(8192)
    assert data.endswith(b"e" * 700)


@pytest.mark.parametrize("cipher", [128, 256])
def test_we_read_qemu_imgs_ciphertext(qemu_img: str, from_file: FromFile, tmp_path: Path, cipher: int) -> None:
    """What ``qemu-img convert -O luks`` made of plain data, header and payload."""
    plain, container = tmp_path / "plain", tmp_path / "container"
    plain.write_bytes(PLAIN)
    done = run(
        qemu_img, "convert", "-f", "raw", "-O", "luks",
        "--object", f"secret,id=s,file={key_file(tmp_path, KEY)}",
        "-o", f"key-secret=s,cipher-alg=aes-{cipher},iter-time=10", plain, container,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    payload = luks.LuksDevice(from_file(container), KEY)
    assert payload.payload_offset == luks.QEMU_IMG_OFFSET[cipher]
    assert payload.read(0, payload.size) == PLAIN

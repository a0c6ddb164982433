"""cryptsetup, as os-brick's encryptors and Cinder run it on the devices and files of a host.

Messages and exit statuses are those of cryptsetup 2.6: 1 wrong parameters, 2 wrong passphrase, 4 wrong device,
5 in use. Sources of the command lines: `os_brick.encryptors.luks`,
`cinder.volume.flows.manager.create_volume:CreateVolumeFromSpecTask._rekey_volume`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

from fake_backends import luks
from fake_backends.block_store import BlockDevice, RegularFile
from fake_backends.command_line import Result
from fake_backends.host.luks_dump import dump
from fake_backends.host.paths import MAPPER, CryptMapping, Host
from fake_backends.luks.cipher import SECTOR
from fake_backends.lvm.host import close_device
from harness.errors import Busy, InvalidArgument, NotFound, StorageError

VERSION = "cryptsetup 2.6.1 flags: UDEV BLKID KEYRING KERNEL_CAPI \n"
DEFAULT_KEY_BITS = 512
"""Of the default cipher, aes-xts-plain64; XTS has two keys of 256 bits."""
FILE_SECTOR = 4096
"""What LUKS2 takes as the unit of encryption in a file; a disk that has blocks of 512 bytes gets those."""

_FLAGS = {
    "-q": "batch-mode", "-v": "verbose", "-r": "readonly", "-y": "verify-passphrase",
    "--batch-mode": "batch-mode", "--verbose": "verbose", "--readonly": "readonly",
    "--verify-passphrase": "verify-passphrase", "--force-password": "force-password",
    "--test-passphrase": "test-passphrase", "--use-urandom": "use-urandom", "--use-random": "use-random",
    "--allow-discards": "allow-discards", "--disable-locks": "disable-locks",
    "--disable-keyring": "disable-keyring",
    "--version": "version", "-V": "version",
}  # fmt: skip
_VALUED = {
    "-c": "cipher", "-d": "key-file", "-h": "hash", "-s": "key-size", "-S": "key-slot", "-M": "type",
    "-i": "iter-time",
    "-T": "tries", "-t": "timeout", "-l": "keyfile-size",
    **{f"--{name}": name for name in (
        "cipher", "key-file", "hash", "key-size", "key-slot", "type", "iter-time", "tries", "timeout", "pbkdf",
        "pbkdf-force-iterations", "pbkdf-memory", "pbkdf-parallel", "sector-size", "keyfile-size",
        "new-keyfile",
    )},
}  # fmt: skip
_USAGE = "Usage: cryptsetup [OPTION...] <action> <action-specific>\n"
_CODES = {
    1: "wrong or missing parameters",
    2: "no permission or bad passphrase",
    4: "wrong device or file specified",
    5: "device already exists or device is busy",
}


_QUESTIONS = ("status", "isLuks", "luksUUID", "luksDump")
"""Actions that change nothing."""
COMMAND_US = 20_000


class _Failure(Exception):
    """The command ends here."""

    def __init__(self, rc: int, message: str = "") -> None:
        super().__init__(message)
        self.rc = rc


@dataclass
class _Call:
    """A command line, taken apart; `said` is what it printed, `complaint` what went to stderr."""

    words: list[str]
    options: dict[str, str]
    stdin: bytes
    said: list[str] = field(default_factory=list)
    complaint: str = ""

    def has(self, option: str) -> bool:
        return option in self.options

    def say(self, line: str, *, verbose: bool = False) -> None:
        if not verbose or self.has("verbose"):
            self.said.append(line + "\n")

    def line(self) -> bytes:
        """The next line of standard input, as a passphrase is typed."""
        line, _, self.stdin = self.stdin.partition(b"\n")
        if not line:
            raise _Failure(1, "Nothing to read on input.")
        return line


class Cryptsetup:
    """The program on one host."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._actions: dict[str, tuple[Callable[[_Call], None], str, int]] = {
            "luksFormat": (self._format, "<device>", 1),
            "open": (self._open, "<device>", 1),
            "luksOpen": (self._open, "<device>", 1),
            "close": (self._close, "<name>", 1),
            "luksClose": (self._close, "<name>", 1),
            "remove": (self._close, "<name>", 1),
            "resize": (self._resize, "<name>", 1),
            "status": (self._status, "<name>", 1),
            "isLuks": (self._is_luks, "<device>", 1),
            "luksUUID": (self._uuid, "<device>", 1),
            "luksDump": (self._dump, "<device>", 1),
            "luksAddKey": (self._add_key, "<device>", 1),
            "luksChangeKey": (self._change_key, "<device>", 1),
            "luksKillSlot": (self._kill_slot, "<device> <key slot>", 2),
            "luksRemoveKey": (self._remove_key, "<device>", 1),
        }

    def execute(self, arguments: Sequence[str], stdin: bytes = b"") -> Result:
        """Run with these arguments. Actions and options that are not known here fail with usage, status 1."""
        try:
            call = _parsed(arguments, stdin)
        except _Failure as failure:
            return Result("", f"{_USAGE}{failure}\n", failure.rc)
        if call.has("version"):
            return Result(VERSION)
        if not call.words:
            return Result("", f"{_USAGE}cryptsetup: Argument <action> missing.\n", 1)
        name = call.words.pop(0)
        if name not in self._actions:
            return Result("", f"{_USAGE}cryptsetup: Unknown action.\n", 1)
        action, arguments_text, count = self._actions[name]
        if len(call.words) < count:
            text = f"{_USAGE}cryptsetup: {name}: requires {arguments_text} as arguments\n"
            return Result("", text, 1)
        rc = 0
        try:
            if name not in _QUESTIONS:
                self._visit(name, call.words[0])
            action(call)
        except _Failure as failure:
            call.complaint += f"{failure}\n" if str(failure) else ""
            rc = failure.rc
        success = "Command successful."
        call.say(f"Command failed with code -{rc} ({_CODES[rc]})." if rc else success, verbose=True)
        return Result("".join(call.said), call.complaint, rc)

    def _visit(self, action: str, path: str) -> None:
        """Pass the point ``luks.<action>``. What strikes there ends the command as an errno would.

        Source: cryptsetup's src/utils_tools.c, `translate_errno`.
        """
        try:
            self.host.points.visit(f"luks.{action}", f"cryptsetup {action} {path}", cost_us=COMMAND_US)
        except StorageError as error:
            raise _Failure(5 if isinstance(error, Busy) else 1, str(error)) from error

    # --------------------------------------------------------------------------------- format, recognise

    def _format(self, call: _Call) -> None:
        path = call.words[0]
        kind = call.options.get("type", "luks2")
        if kind not in ("luks", "luks1", "luks2"):
            raise _Failure(1)
        provider = "luks" if kind == "luks1" else "luks2"
        bits = _number(call, "key-size", DEFAULT_KEY_BITS)
        if bits % 8:
            raise _Failure(1, f"{_USAGE}cryptsetup: Key size must be a multiple of 8 bits")
        key = self._passphrase(call, call.words[1:])
        with self._exclusively(path) as device:
            default = FILE_SECTOR if isinstance(device, RegularFile) else SECTOR
            if isinstance(device, RegularFile):
                device.truncate(max(device.size, luks.CRYPTSETUP_OFFSET[provider]))
            try:
                header = luks.format(
                    device,
                    provider=provider,
                    key=key,
                    key_size=bits,
                    cipher=call.options.get("cipher", luks.CIPHER),
                    sector_size=_number(call, "sector-size", default) if provider == "luks2" else SECTOR,
                    salt=self.host.ids.uuid().encode(),
                )
            except InvalidArgument as error:
                raise _Failure(1, str(error).replace("Device is", f"Device {path} is")) from error
            if device.size <= header.payload_offset:
                call.say(f"Device {path} is too small for activation, there is no remaining space for data.")

    def _is_luks(self, call: _Call) -> None:
        with self._opened(call.words[0]) as device:
            if luks.provider_of(device) is None:
                raise _Failure(1)

    def _uuid(self, call: _Call) -> None:
        with self._opened(call.words[0]) as device:
            if luks.provider_of(device) is None:
                raise _Failure(1)
            call.say(luks.read_header(device).uuid)

    def _dump(self, call: _Call) -> None:
        path = call.words[0]
        with self._opened(path) as device:
            call.said.append(dump(path, _header(path, device)))

    # ------------------------------------------------------------------------------------------ mappings

    def _open(self, call: _Call) -> None:
        path = call.words[0]
        if call.options.get("type", "luks") not in ("luks", "luks1", "luks2"):
            raise _Failure(1, f"Unrecognized metadata device type {call.options['type']}.")
        if call.has("test-passphrase"):
            with self._opened(path) as device:
                self._unlock_to_open(call, path, device)
            return
        if len(call.words) < 2:
            raise _Failure(1, "Command requires device and mapped name as arguments.")
        name = call.words[1]
        if self.host.exists(MAPPER + name):
            raise _Failure(5, f"Device {name} already exists.")
        self._refuse_mapped(path)
        backing = self._open_device(path)
        try:
            header, key = self._unlock_to_open(call, path, backing)
            device = luks.LuksDevice(backing, key)
            self.host.map(name, CryptMapping(header, device, self.host.realpath(path), backing))
        except BaseException:
            close_device(backing)
            raise

    def _unlock_to_open(self, call: _Call, path: str, device: BlockDevice) -> tuple[luks.Header, bytes]:
        header = _header(path, device)
        if header.payload_offset >= device.size:
            text = f"Requested offset is beyond real size of device {path}."
            if isinstance(device, RegularFile):
                text = (
                    f"LUKS file container {path} is too small for activation, "
                    "there is no remaining space for data."
                )
            raise _Failure(1, text)
        key = self._passphrase(call)
        if header.version == 2:
            call.say("No usable token is available.", verbose=True)
        self._unlock(call, device, key)
        return header, key

    def _close(self, call: _Call) -> None:
        name = self._mapping_name(call.words[0])
        try:
            self.host.unmap(name)
        except NotFound:
            raise _Failure(4, f"Device {call.words[0]} is not active.") from None
        except Busy as error:
            raise _Failure(5, str(error)) from error

    def _resize(self, call: _Call) -> None:
        """Let the mapping have the size that the device under it has now. LUKS2 asks for the passphrase."""
        name = self._mapping_name(call.words[0])
        mapping = self.host.mappings.get(name)
        if mapping is None:
            raise _Failure(4, f"Device {call.words[0]} is not active.")
        if mapping.header.version == 2:
            self._unlock(call, mapping.backing, self._passphrase(call))
        mapping.device.fit()

    def _status(self, call: _Call) -> None:
        name = self._mapping_name(call.words[0])
        mapping = self.host.mappings.get(name)
        shown = call.words[0] if "/" in call.words[0] else MAPPER + name
        if mapping is None:
            if self.host.exists(MAPPER + name):
                raise _Failure(1)  # a device mapper's device, but none of dm-crypt
            call.say(f"{shown} is inactive.")
            raise _Failure(4)
        header = mapping.header
        call.say(f"{shown} is active{' and is in use' if mapping.openers else ''}.")
        call.say(f"  type:    LUKS{header.version}")
        call.say(f"  cipher:  {header.cipher}")
        call.say(f"  keysize: {header.key_size * 8} bits")
        call.say(f"  key location: {'keyring' if header.version == 2 else 'dm-crypt'}")
        call.say(f"  device:  {mapping.path}")
        call.say(f"  sector size:  {header.sector_size}")
        call.say(f"  offset:  {header.payload_offset // SECTOR} sectors")
        call.say(f"  size:    {mapping.device.size // SECTOR} sectors")
        call.say("  mode:    read/write")

    # --------------------------------------------------------------------------------------- passphrases

    def _add_key(self, call: _Call) -> None:
        path = call.words[0]
        with self._opened(path) as device:
            _header(path, device)
            key = self._passphrase(call)
            try:
                luks.unlock(device, key)
            except StorageError:
                raise _Failure(2) from None
            if call.has("key-slot"):
                call.say("WARNING: The --key-slot parameter is used for new keyslot number.")
            new_file = call.words[1] if len(call.words) > 1 else call.options.get("new-keyfile")
            if not call.has("key-file"):
                self._unlock(call, device, key)
            new = self._file(new_file) if new_file is not None else call.line()
            wanted = _number(call, "key-slot", -1)
            try:
                slot = luks.add_key(device, key, new, slot=None if wanted < 0 else wanted)
            except InvalidArgument as error:
                raise _Failure(1, str(error)) from error
            call.say(f"Key slot {slot} created.", verbose=True)

    def _change_key(self, call: _Call) -> None:
        """LUKS1 writes the new key to a free slot; LUKS2 keeps the number."""
        path = call.words[0]
        with self._opened(path) as device:
            header = _header(path, device)
            key = self._passphrase(call)
            old = self._unlock(call, device, key)
            new = self._file(call.words[1]) if len(call.words) > 1 else call.line()
            slot = luks.change_key(device, key, new)
            call.say(f"Key slot {old if header.version == 2 else slot} created.", verbose=True)

    def _kill_slot(self, call: _Call) -> None:
        path, number = call.words[:2]
        with self._opened(path) as device:
            header = _header(path, device)
            slot = int(number) if number.isdecimal() else -1
            if slot not in header.slots:
                raise _Failure(1, f"Keyslot {number} is not active.")
            call.say(f"Keyslot {number} is selected for deletion.", verbose=True)
            if call.has("batch-mode") and not call.has("key-file") and not call.stdin:
                call.complaint = "Nothing to read on input.\n"  # and in batch mode, nothing more
            else:
                self._unlock_another(call, device, header, slot)
            luks.erase_key(device, slot)
            call.say(f"Key slot {slot} removed.", verbose=True)

    def _unlock_another(self, call: _Call, device: BlockDevice, header: luks.Header, slot: int) -> None:
        """Some other slot's passphrase must be known, or that of the last one."""
        others = {number: each for number, each in header.slots.items() if number != slot} or header.slots
        try:
            used = luks.unlock_with(device, replace(header, slots=others), self._passphrase(call))[1]
        except StorageError as error:
            raise _Failure(2, str(error)) from error
        call.say(f"Key slot {used} unlocked.", verbose=True)

    def _remove_key(self, call: _Call) -> None:
        path = call.words[0]
        with self._opened(path) as device:
            _header(path, device)
            key = self._file(call.words[1]) if len(call.words) > 1 else self._passphrase(call)
            slot = self._unlock(call, device, key)
            call.say(f"Keyslot {slot} is selected for deletion.", verbose=True)
            luks.erase_key(device, slot)
            call.say(f"Key slot {slot} removed.", verbose=True)

    # ------------------------------------------------------------------------------------------- insides

    def _unlock(self, call: _Call, device: BlockDevice, key: bytes) -> int:
        try:
            slot = luks.unlock(device, key)[2]
        except StorageError as error:
            raise _Failure(2, str(error)) from error
        call.say(f"Key slot {slot} unlocked.", verbose=True)
        return slot

    def _passphrase(self, call: _Call, files: Sequence[str] = ()) -> bytes:
        """From ``--key-file`` whole, ``-`` being standard input; else the next line of standard input."""
        name = call.options.get("key-file", files[0] if files else None)
        if name is None:
            return call.line()
        if name == "-":
            key, call.stdin = call.stdin, b""
            return key
        return self._file(name)

    def _file(self, path: str) -> bytes:
        try:
            return self.host.read(path)
        except NotFound:
            raise _Failure(1, "Failed to open key file.") from None

    def _open_device(self, path: str) -> BlockDevice:
        try:
            return self.host.open(path)
        except NotFound:
            raise _Failure(4, f"Device {path} does not exist or access denied.") from None

    def _opened(self, path: str) -> AbstractContextManager[BlockDevice]:
        if not self.host.exists(path):
            raise _Failure(4, f"Device {path} does not exist or access denied.")
        return self.host.opened(path)

    def _exclusively(self, path: str) -> AbstractContextManager[BlockDevice]:
        opened = self._opened(path)
        self._refuse_mapped(path)
        return opened

    def _refuse_mapped(self, path: str) -> None:
        if self.host.mapping_over(path) is not None:
            text = f"Cannot use device {path} which is in use (already mapped or mounted)."
            raise _Failure(5, text)

    def _mapping_name(self, word: str) -> str:
        """A name, or any path that leads to the mapping."""
        return self.host.realpath(word).removeprefix(MAPPER)


def _parsed(arguments: Sequence[str], stdin: bytes) -> _Call:
    call = _Call([], {}, stdin)
    rest = [str(argument) for argument in arguments]
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if not word.startswith("-") or word == "-":
            call.words.append(word)
        elif word in _FLAGS:
            call.options[_FLAGS[word]] = ""
        elif name in _VALUED and equals:
            call.options[_VALUED[name]] = value
        elif word in _VALUED:
            if not rest:
                raise _Failure(1, f"{word}: missing argument")
            call.options[_VALUED[word]] = rest.pop(0)
        else:
            raise _Failure(1, f"{name}: unknown option")
    return call


def _number(call: _Call, option: str, default: int) -> int:
    text = call.options.get(option)
    if text is None:
        return default
    if not text.isdecimal():
        raise _Failure(1, f"--{option}: invalid numeric value")
    return int(text)


def _header(path: str, device: BlockDevice) -> luks.Header:
    try:
        return luks.read_header(device)
    except InvalidArgument:
        raise _Failure(1, f"Device {path} is not a valid LUKS device.") from None

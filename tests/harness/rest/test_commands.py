"""Every command of the ordinary client, unmodified: it works, or is refused as Cinder refuses it.

The lines are typed in this order. ``=> NAME`` keeps the id that a line printed for later ones, ``@USER`` says
who types, ``pass SECONDS`` lets time pass, and ``! TEXT`` is what the client must complain of.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.harness.rest.served import Served
from tests.harness.rest.typed import Typist

pytest.importorskip("cinderclient")

LINES = {
    "surroundings": """
        api-version
        version-list
        list-extensions
        absolute-limits
        rate-limits
        availability-zone-list
        service-list
        get-pools --detail
        get-capabilities node1@lvm-a
        list-filters
        work-cleanup
        help list
        bash-completion
    """,
    "types": """
        type-default
        type-create thick => thick
        type-create --is-public false secret => secret
        type-create vault => vault
        type-list
        type-key thick set volume_backend_name=lvm-a
        type-show thick
        type-update --description slow {thick}
        extra-specs-list
        type-access-add --volume-type secret --project-id demo
        type-access-list --volume-type secret
        type-access-remove --volume-type secret --project-id demo
        encryption-type-create --cipher aes-xts-plain64 --key-size 256 --control-location front-end vault luks
        encryption-type-list
        encryption-type-show vault
        encryption-type-update --key-size 512 vault
        encryption-type-delete vault
        default-type-set thick demo
        default-type-list
        default-type-list --project-id demo
        type-delete thick ! Unable to delete any of the specified types.
        default-type-unset demo
        @alice@member default-type-list ! You are not authorized to perform this operation.
        qos-create slow consumer=front-end read_iops_sec=10 => qos
        qos-list
        qos-show {qos}
        qos-key {qos} set write_iops_sec=5
        qos-associate {qos} {vault}
        qos-get-association {qos}
        qos-disassociate {qos} {vault}
        qos-disassociate-all {qos}
        qos-delete {qos}
        type-delete secret
    """,
    "quotas": """
        quota-show demo
        quota-defaults demo
        quota-update --volumes 99 demo
        quota-usage demo
        quota-delete demo
        quota-class-show default
        quota-class-update --volumes 50 default
    """,
    "volumes": """
        create 1 --name first --volume-type thick => first
        create 1 --name second --volume-type thick => second
        pass 5
        list
        show first
        rename first primary
        metadata primary set a=b
        metadata-show primary
        metadata-update-all primary c=d
        image-metadata primary set os=linux
        image-metadata-show primary
        summary
        set-bootable primary true
        readonly-mode-update primary false
        extend primary 2
        pass 10
        migrate second node1@lvm-b#lvm-b
        pass 60
        retype --migration-policy on-demand second vault
        pass 60
        reset-state --state available second
        create --source-volid {second} 1 --name clone => clone
        pass 60
        create --source-volid {second} --snapshot-id {first} 1 ! May specify only one of
        attachment-create {second} {server} => attachment
        attachment-list
        attachment-show {attachment}
        attachment-update {attachment} --initiator iqn.x --ip 192.0.2.9 --host compute1
        attachment-complete {attachment}
        attachment-delete {attachment}
        pass 5
        unmanage clone
        pass 10
        manageable-list node1@lvm-a#lvm-a
        create 1 --name wanted --volume-type thick => wanted
        pass 5
        unmanage wanted
        pass 10
        manage --id-type source-name node1@lvm-a#lvm-a volume-{wanted} --name taken
        pass 10
        force-delete taken
        message-list
        message-show nothing ! No message with a name or ID of 'nothing' exists.
        message-delete nothing ! Unable to delete any of the specified messages.
    """,
    "snapshots": """
        snapshot-create primary --name before => snapshot
        pass 10
        snapshot-list
        snapshot-show before
        snapshot-rename before after
        snapshot-metadata after set a=b
        snapshot-metadata-show after
        snapshot-metadata-update-all after c=d
        snapshot-reset-state --state error after
        snapshot-reset-state after
        revert-to-snapshot after
        pass 60
        create --snapshot-id {snapshot} 2 --name copy
        pass 60
        snapshot-unmanage after
        pass 10
        snapshot-manageable-list node1@lvm-a#lvm-a
        snapshot-manage primary snapshot-{snapshot} --name managed
        pass 10
        snapshot-delete managed
        pass 10
        delete copy
        pass 10
        delete copy ! Unable to delete any of the specified volumes.
    """,
    "images and backups": """
        upload-to-image second image => image/image_id
        pass 60
        create 1 --image image --name booted => booted
        create 1 --image nothing ! Invalid image identifier or unable to access requested image.
        pass 60
        show booted
        reimage booted {image}
        pass 60
        backup-create second --name kept => backup
        pass 60
        backup-list
        backup-show kept
        backup-update --name saved kept
        backup-reset-state saved --state available
        backup-export {backup}
        create --backup-id {backup} 1 --name restored => restored
        pass 120
        show restored
        backup-restore saved --volume restored
        pass 60
        backup-delete saved
        pass 10
        backup-import stone e30= ! Provided backup record is missing an id
        transfer-create second => nameless
        transfer-delete {nameless}
        transfer-create second --name gift => transfer
        transfer-list
        transfer-show {transfer}
        transfer-accept {transfer} wrong ! Invalid auth key
        transfer-delete {transfer}
    """,
    "groups": """
        group-type-create pack => pack
        group-type-key pack set a=b
        group-specs-list
        group-type-show pack
        group-type-update --description several {pack}
        group-type-default ! Default group type can not be found.
        group-type-list
        group-create pack thick --name pair => pair
        pass 5
        create 1 --name member --volume-type thick --group-id {pair}
        pass 5
        group-list
        group-show pair
        group-update pair --description x
        group-snapshot-create pair --name pair-before => pair-before
        pass 20
        group-snapshot-list
        group-snapshot-show pair-before
        group-create-from-src --group-snapshot pair-before --name pair-2 => pair-2
        group-create-from-src --source-group pair --name pair-3 => pair-3
        pass 60
        group-show pair-2
        group-enable-replication pair ! is not a replication group type.
        group-disable-replication pair ! is not a replication group type.
        group-failover-replication pair ! is not a replication group type.
        group-list-replication-targets pair ! is not a replication group type.
        group-snapshot-delete pair-before
        group-delete --delete-volumes pair-2
        group-delete --delete-volumes pair-3
        pass 60
        group-delete --delete-volumes pair
        pass 30
        group-type-delete pack
    """,
    "consistency groups": """
        consisgroup-create {thick} --name old => old
        pass 5
        consisgroup-list
        consisgroup-show old
        consisgroup-update old --description x
        cgsnapshot-create old --name x --description y ! Source group cannot be empty
        cgsnapshot-list
        cgsnapshot-show nothing ! No cgsnapshot with a name or ID of 'nothing' exists.
        cgsnapshot-delete nothing ! Unable to delete any of the specified cgsnapshots.
        consisgroup-create-from-src --source-cg old ! None is not of type 'string'
        group-show old ! No group with a name or ID of 'old' exists.
        consisgroup-delete old
        pass 5
    """,
    "services": """
        freeze-host node1@lvm-b
        thaw-host node1@lvm-b
        failover-host node1@lvm-b ! replication_status in
        service-disable node1@lvm-b cinder-volume --reason maintenance
        service-enable node1@lvm-b cinder-volume
        service-set-log debug --binary cinder-volume
        service-get-log --binary cinder-volume
        cluster-list
        cluster-show nothing ! could not be found
        cluster-disable nothing ! could not be found
        cluster-enable nothing ! could not be found
    """,
}


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """A server whose clock stands still."""
    with Served("--speed", "stopped") as running:
        yield running


@pytest.fixture(scope="module")
def typist() -> Iterator[Typist]:
    """Who types all lines."""
    with Typist() as made:
        yield made


@pytest.fixture(scope="module")
def conversation(served: Served, typist: Typist) -> Conversation:
    """One for all tests of a process."""
    return Conversation(served, typist)


class Conversation:
    """What was typed so far, and the ids that lines have printed."""

    def __init__(self, served: Served, typist: Typist) -> None:
        self._served, self._typist = served, typist
        self._left = list(LINES)
        self._known = {"server": "5e12e125-0000-4000-8000-00000000000a"}

    def reach(self, subject: str) -> None:
        """Type everything up to the end of a block that was not typed yet: blocks need those before them."""
        while subject in self._left:
            for line in lines(LINES[self._left.pop(0)]):
                self._type(line)

    def _type(self, line: str) -> None:
        for name, value in self._known.items():
            line = line.replace("{" + name + "}", value)
        line, _, complaint = line.partition(" ! ")
        line, _, kept = line.partition(" => ")
        if line.startswith("pass "):
            self._served.pass_time(float(line.removeprefix("pass ")))
            return
        user, command = line[1:].split(" ", 1) if line.startswith("@") else ("admin", line)
        said = self._typist.type({**self._served.environment, "OS_USER_ID": user}, command)
        assert complaint in said.error if complaint else not said.error, (line, said)
        if kept:
            name, _, field = kept.partition("/")
            self._known[name] = said.field(field or "id")


def lines(text: str) -> list[str]:
    """The lines of a block."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def test_no_command_is_left_out(typist: Typist) -> None:
    """All that the client has are typed here."""
    typed = {re.sub(r"^@\S+ ", "", line).split()[0] for text in LINES.values() for line in lines(text)}
    assert typed >= typist.commands() - {"bash_completion"}, "an alias"


@pytest.mark.parametrize("subject", LINES)
def test_the_client_is_answered(subject: str, conversation: Conversation) -> None:
    """Each line of it, one after another."""
    conversation.reach(subject)

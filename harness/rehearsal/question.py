"""From what the user asks to cells of the matrix, one for each back-end that his volume may be on.

Where a retype leads is decided by the simulated scheduler itself, on the pools that the configuration makes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from harness.control_plane.cloud import Cloud
from harness.control_plane.deployment import BackendPlan, Deployment
from harness.control_plane.filters import passes
from harness.control_plane.nova_profiles import PROFILES
from harness.control_plane.pools import PoolState, Request
from harness.control_plane.volume_manager import VolumeManager
from harness.control_plane.weighers import weigh
from harness.errors import InputError
from harness.matrix.cells import BackendFacts, Cell
from harness.matrix.expectations import RULES, expect, is_possible
from harness.matrix.families import ONLY_AVAILABLE, ONLY_IN_USE, ONLY_MIGRATE, ONLY_RETYPE, facts_of
from harness.matrix.rules_situation import Situation
from harness.matrix.selection import nearest
from harness.record import service_host
from harness.rehearsal.alternatives import good
from harness.rehearsal.words import OTHER_STATUSES, SERVERS, TypeWords, VolumeWords
from harness.sim.simulation import Simulation

_ZONES = "RESKEY:availability_zones"
_NOT_COMPARED = ("volume_backend_name", _ZONES, "multiattach")


@dataclass(frozen=True, kw_only=True)
class Question:
    """Everything that was asked. `to` is a host (migrate), `new_type` the name of a type (retype)."""

    volume: VolumeWords
    to: str | None = None
    new_type: str | None = None
    sources: tuple[str, ...] = ()
    types: Mapping[str, TypeWords] = field(default_factory=dict)
    policy: str = "on-demand"
    lock: bool = False
    force: bool = False
    nova: str = "32"
    fill: str = "full"
    given: tuple[str, ...] = ()

    @property
    def migrate(self) -> bool:
        return self.to is not None


class Asked(NamedTuple):
    """What a question comes to on one back-end: the cell that decides, and those of what else is in the way."""

    cell: Cell
    others: tuple[Cell, ...] = ()


class _Impossible(Exception):
    """Why a volume cannot be on a back-end."""


class Questioner:
    """Knows a deployment, and what its scheduler knows of it."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        with Simulation() as simulation:
            cloud = Cloud(deployment, simulation, nova=PROFILES["32"])
            self.pools: dict[str, PoolState] = {pool.address: pool for pool in cloud.scheduler.pools()}
            self._criteria = cloud.scheduler.hosts.criteria._replace(volumes=lambda pool: 0)
            self._broken = {
                manager.plan.name: _why_not_set_up(manager)
                for manager in cloud.managers.values()
                if not manager.initialized
            }
            cloud.close()

    # ----------------------------------------------------------------------------------------- back-ends

    def backend(self, word: str, option: str) -> BackendPlan:
        """By name, section, ``host@backend`` or ``host@backend#pool``. InputError names the nearest."""
        for plan in self.deployment.backends:
            if word in (plan.name, plan.service, plan.address):
                return plan
        known = [name for plan in self.deployment.backends for name in (plan.name, plan.address)]
        raise InputError(
            f"{option} {word} is no back-end of this deployment{nearest(word, known)} "
            f"known are {', '.join(plan.address for plan in self.deployment.backends)}"
        )

    def volume_type(self, question: Question, name: str | None) -> TypeWords | None:
        """A type that was defined, else one that leads to the back-end of its name."""
        if name is None:
            return None
        if name in question.types:
            return question.types[name]
        for plan in self.deployment.backends:
            if name in (plan.name, plan.volume_backend_name):
                return TypeWords(name=name, specs={"volume_backend_name": plan.volume_backend_name})
        known = sorted({*question.types, *(plan.volume_backend_name for plan in self.deployment.backends)})
        raise InputError(
            f"the volume type {name!r} is not known{nearest(name, known)} cinder.conf says nothing of types: "
            f"add --define '{name} volume_backend_name=... encryption=luks', or name a back-end"
        )

    # --------------------------------------------------------------------------------------------- cells

    def asked(self, question: Question) -> list[Asked]:
        """One for each source. InputError if no back-end can have such a volume."""
        old = self.volume_type(question, question.volume.type_name)
        _check(question, old)
        named_ones = [self.backend(name, "--from") for name in question.sources]
        found: list[Asked] = []
        why: list[str] = []
        for source in dict.fromkeys(plan.name for plan in named_ones or self.deployment.backends):
            try:
                found.append(self._possible(question, self.deployment.backend(source), old))
            except _Impossible as reason:
                why.append(f"{source}: {reason}")
        if not found:
            raise InputError(f"no back-end can have this volume: {'; '.join(why)}")
        return found

    def _possible(self, question: Question, source: BackendPlan, old: TypeWords | None) -> Asked:
        """_Impossible if the volume cannot be on that back-end, or not so."""
        refusal = self._cannot_be_on(question, source, old)
        if refusal is not None:
            raise _Impossible(refusal)
        cell, obstacles = self._cell(question, source, old)
        facts = facts_of(source), facts_of(self.deployment.backend(cell.destination))
        cells = [msgspec.structs.replace(cell, precondition=name) for name in (*obstacles, "none")]
        if not all(is_possible(each, *facts) for each in cells):
            raise _Impossible("such a volume cannot exist there, or the request contradicts itself")
        # By the rule that decides: those that come first strike first.
        by_turn: dict[int, Cell] = {}
        for each in cells:
            by_turn.setdefault(_turn(each, *facts), each)
        first, *others = (by_turn[turn] for turn in sorted(by_turn))
        # What is so without anything in the way, is nobody's fault.
        bare, turn = cells[-1], _turn(cells[-1], *facts)
        others = [bare if _turn(each, *facts) == turn else each for each in others]
        return Asked(first, tuple(each for each in others if not good(expect(each, *facts))))

    def _cannot_be_on(self, question: Question, source: BackendPlan, old: TypeWords | None) -> str | None:
        if source.name in self._broken:
            return f"its driver cannot be set up: {self._broken[source.name]}"
        pool = self.pools.get(_known_as(source))
        if pool is None or old is None:
            return None
        return self._refusal(pool, question, old, "create")

    def _refusal(self, pool: PoolState, question: Question, kind: TypeWords, operation: str) -> str | None:
        """What the filters have against a volume of that type; how large the pool is, has no part in it."""
        wanted = Request(size_gb=question.volume.size_gb, extra_specs=kind.specs, operation=operation)
        return passes(pool, wanted, self._filters)

    def _cell(
        self, question: Question, source: BackendPlan, old: TypeWords | None
    ) -> tuple[Cell, tuple[str, ...]]:
        """The cell without anything in the way, and what is in the way."""
        obstacles = _given(question)
        if question.migrate:
            assert question.to is not None
            destination = self._usable(question.to)
            if destination is source:
                obstacles.append("same-host")
            elif old is not None and not self._fits(question, destination, old):
                obstacles.append("specs-mismatch")
            relation = "same" if old is not None and set(old.specs) - set(_NOT_COMPARED) else "none"
            encryption = old.encryption if old else "none"
        else:
            new = self.volume_type(question, question.new_type)
            assert new is not None
            destination, refusal = self._where_to(question, source, new)
            obstacles += [each for each in (_type_refusal(question, old, new), refusal) if each]
            relation = _relation(question, old, new)
            if (
                _ZONES in new.specs
                and destination.availability_zone != source.availability_zone
                and not refusal
            ):
                relation = _across_zones(relation, new, source, destination)
            encryption = _change(old.encryption if old else "none", new.encryption)
        cell = Cell(
            operation="migrate" if question.migrate else "retype",
            source=source.name,
            destination=destination.name,
            status=_status(question.volume),
            policy="on-demand" if question.migrate else question.policy,
            lock="yes" if question.lock else "no",
            force="yes" if question.force else "no",
            type=relation,
            encryption=encryption,
            fill=question.fill,
            nova=question.nova,
        )
        return cell, tuple(dict.fromkeys(obstacles))

    def _usable(self, word: str) -> BackendPlan:
        """The destination by its name. InputError if its driver cannot be set up."""
        plan = self.backend(word, "--to")
        if plan.name in self._broken:
            raise InputError(f"--to {word}: its driver cannot be set up: {self._broken[plan.name]}")
        return plan

    def _fits(self, question: Question, plan: BackendPlan, kind: TypeWords) -> bool:
        pool = self.pools.get(_known_as(plan))
        return pool is None or self._refusal(pool, question, kind, "migrate") is None

    def _where_to(self, question: Question, source: BackendPlan, new: TypeWords) -> tuple[BackendPlan, str]:
        """The scheduler's choice; or where the type leads, and what keeps the volume from going there.

        How large the storage really is, the configuration does not say: capacity has no part in it. Source:
        `cinder.scheduler.filter_scheduler:FilterScheduler.find_retype_backend`.
        """
        zones = new.specs.get(_ZONES)
        anywhere = Request(
            size_gb=question.volume.size_gb,
            extra_specs=new.specs,
            operation="retype",
            current_address=_known_as(source),
        )
        here = (source.availability_zone,)
        request = anywhere._replace(
            availability_zones=tuple(zone.strip() for zone in zones.split(",")) if zones else here
        )
        passing = self._passing(request)
        if any(pool.address == _known_as(source) for pool in passing):
            return source, ""
        if passing:
            return self._plan_of(passing[0]), ""
        elsewhere = self._passing(anywhere)
        if elsewhere:
            return self._plan_of(elsewhere[0]), "other-zone" if zones else ""
        return source, "specs-mismatch"

    @property
    def _filters(self) -> list[str]:
        """The filters that look at more than room: how large the storage is, the configuration does not say."""
        return [name for name in self._criteria.filters if name != "CapacityFilter"]

    def _passing(self, request: Request) -> list[PoolState]:
        """Pools that pass the filters, best first."""
        names = self._filters
        passing = [pool for pool in self.pools.values() if passes(pool, request, names) is None]
        return weigh(passing, request, self._criteria)

    def _plan_of(self, pool: PoolState) -> BackendPlan:
        """The back-end that has the pool; of a cluster the service that speaks for it."""
        service = service_host(pool.host)
        return next(plan for plan in self.deployment.backends if plan.service == service)


def _known_as(plan: BackendPlan) -> str:
    """The pool's address for the scheduler: that of the cluster, if its services are one."""
    return f"{plan.service_cluster or plan.service}#{plan.pool}"


def _why_not_set_up(manager: VolumeManager) -> str:
    """What the driver says to it once more."""
    try:
        manager.driver.do_setup(manager.admin)
        manager.driver.check_for_setup_error()
    except Exception as error:  # noqa: BLE001 (a driver may raise anything)
        return str(error)
    return "nobody knows why"


def _turn(cell: Cell, source: BackendFacts, destination: BackendFacts) -> int:
    """Which of the rules decides the cell."""
    situation = Situation(cell, source, destination)
    return next(number for number, rule in enumerate(RULES) if rule.applies(situation))


def _check(question: Question, old: TypeWords | None) -> None:
    """InputError for what contradicts itself whatever back-end the volume is on."""
    attached = bool(question.volume.servers)
    for names, wrong, about in (
        (ONLY_IN_USE, not attached, "a volume that is in-use"),
        (ONLY_AVAILABLE, attached, "a volume that is not attached"),
        (ONLY_MIGRATE, not question.migrate, "a migration (--to)"),
        (ONLY_RETYPE, question.migrate, "a retype (--type)"),
    ):
        for name in question.given:
            if wrong and name in names:
                raise InputError(f"--given {name} is about {about}, which this question is not about")
    if len(question.volume.servers) > 1 and old is not None and old.encryption != "none":
        raise InputError(f"a volume of type {old.name} is encrypted, and so cannot have several attachments")


def _given(question: Question) -> list[str]:
    """What stands in the way, by the user's own words."""
    volume = question.volume
    states = [SERVERS[state] for state in volume.servers if SERVERS[state] != "none"]
    if volume.status in OTHER_STATUSES:
        states.append(volume.status if volume.status in ("error", "maintenance") else "attaching")
    return [*states, *question.given]


def _status(volume: VolumeWords) -> str:
    if len(volume.servers) > 1:
        return "multi-attached"
    if volume.servers:
        return "read-only" if volume.servers[0] == "read-only" else "in-use"
    return "available"


def _type_refusal(question: Question, old: TypeWords | None, new: TypeWords) -> str:
    """What the API has against the new type, as a precondition; empty if nothing."""
    if old is not None and old.name == new.name:
        return "same-type"
    lowest, highest = (new.specs.get(f"provisioning:{which}_vol_size") for which in ("min", "max"))
    for limit, name in ((lowest, "min-size"), (highest, "max-size")):
        if limit is not None and not limit.isdigit():
            raise InputError(
                f"type {new.name}: provisioning:{name[:3]}_vol_size={limit} must be a number of GiB"
            )
    if lowest is not None and question.volume.size_gb < int(lowest):
        return "min-size"
    if highest is not None and question.volume.size_gb > int(highest):
        return "max-size"
    return ""


def _relation(question: Question, old: TypeWords | None, new: TypeWords) -> str:
    """The value of the axis `type`: what two types have apart from back-end name and encryption."""
    qos = _qos_relation(question, old.qos if old else "none", new.qos)
    if qos:
        return qos
    before = {key: value for key, value in (old.specs if old else {}).items() if key not in _NOT_COMPARED}
    after = {key: value for key, value in new.specs.items() if key not in _NOT_COMPARED}
    if new.multiattach and not (old and old.multiattach):
        return "multiattach"
    if before != after:
        return "specs"
    return "shared" if after else "none"


def _qos_relation(question: Question, before: str, after: str) -> str:
    """Empty where it does not change. What the hypervisor enforces, on either side, in-use volumes keep."""
    if before == after:
        return ""
    if after == "none":
        return "no-qos" if before == "back-end" else "no-front-end-qos"
    if before == "none":
        return "qos" if after == "back-end" else "front-end-qos"
    return "front-end-qos" if question.volume.servers else "qos"


def _across_zones(relation: str, new: TypeWords, source: BackendPlan, destination: BackendPlan) -> str:
    """InputError for what else changes along with the zone."""
    if relation != "none":
        raise InputError(
            f"type {new.name} leads from zone {source.availability_zone} to {destination.availability_zone} "
            "and changes other extra specs or QoS, which cannot be rehearsed together; leave one of them out"
        )
    return "zone"


def _change(before: str, after: str) -> str:
    return before if before == after else f"{before}-{after}"


def named(types: Sequence[TypeWords]) -> dict[str, TypeWords]:
    """By name. InputError for a type that is defined twice."""
    found: dict[str, TypeWords] = {}
    for each in types:
        if each.name in found:
            raise InputError(f"--define: the type {each.name} is defined twice")
        found[each.name] = each
    return found

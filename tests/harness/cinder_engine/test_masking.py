"""Secrets do not get into a report."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cinder_engine.release import installed
from harness.control_plane.deployment import load
from harness.results import CellResult, Expectation, Judgement, Observation, TimelineEvent

if installed() is None:
    pytest.skip("Cinder is not installed: pip install 'cinder-crucible[cinder]'", allow_module_level=True)

from harness.cinder_engine.masking import HIDDEN, Mask, is_secret, secrets_of

SECRET = "N0tForAnybody"
CEPHX = "AQCkpXBmAAAAABAA0nE5T1cWz9pXUjQkqB7lZg=="


@pytest.mark.parametrize(
    "text",
    [
        f"{{'auth_password': '{SECRET}'}}",
        f'"san_password": "{SECRET}"',
        f"X-Auth-Token: {SECRET}",
        f"Authorization: Bearer {SECRET}",
        f"'discovery_auth_password': '{SECRET}'",
        f"auth_secret = {SECRET}",
        f"chap-secret={SECRET}",
        f'{{"keyring": "{SECRET}"}}',
        f"Cookie: {SECRET}",
    ],
)
def test_what_stands_where_a_secret_stands_is_hidden(text: str) -> None:
    """By its name, as `oslo_utils.strutils.mask_password` does, and a few more names."""
    masked = Mask().text(text)
    assert SECRET not in masked
    assert HIDDEN in masked


def test_a_cephx_key_is_known_by_its_form() -> None:
    """Wherever it stands."""
    assert CEPHX not in Mask().text(f"[client.cinder] key = {CEPHX}, and so on")


@pytest.mark.parametrize(
    "said",
    [
        {"data": {"auth_password": SECRET}},
        {"provider_auth": f"CHAP user {SECRET}"},
        [{"X-Session-Token": SECRET}],
        {"headers": {"authorization": f"Basic {SECRET}"}},
        {"secret": SECRET},
    ],
)
def test_what_was_said_once_is_hidden_ever_after(said: object) -> None:
    """A driver returned it, or it stood in a header: the array may repeat it where nobody expects it."""
    mask = Mask()
    mask.learn(said)
    assert mask.text(f"login with {SECRET} failed") == f"login with {HIDDEN} failed"
    assert mask.text(f"{SECRET}s are words") == f"{SECRET}s are words"
    mask.forget()
    assert SECRET in mask.text(f"login with {SECRET} failed")


def test_names_that_only_sound_so_are_no_secrets() -> None:
    """The uuid of a libvirt secret, and the way of authentication, are said to everybody."""
    assert not any(map(is_secret, ("secret_uuid", "auth_method", "token_type", "password_file")))
    assert all(map(is_secret, ("san_password", "X-Auth-Token", "chap_secret", "api_key", "keyring")))


def test_options_of_a_section_are_known_from_the_start(tmp_path: Path) -> None:
    """Those of [backend_defaults], too; a new cell does not make them public."""
    path = tmp_path / "cinder.conf"
    path.write_text(
        "[DEFAULT]\nenabled_backends = mine\n[backend_defaults]\nchap_password = of-everybody\n"
        f"[mine]\nvolume_driver = lvm\nsan_password = {SECRET}\n"
    )
    mask = Mask(secrets_of(load([path])))
    mask.forget()
    assert mask.text(f"{SECRET}, of-everybody") == f"{HIDDEN}, {HIDDEN}"


def test_every_text_of_a_result_is_masked() -> None:
    """Timeline, reason, what is broken, and what differs."""
    mask = Mask([SECRET])
    result = CellResult(
        id="a/b/c/d",
        axes={},
        expected=Expectation(outcome="succeeded", reason="", rule=""),
        observed=Observation(outcome="crashed", reason=SECRET),
        verdict="fail",
        invariants=[Judgement(name="data", holds=False, details=[SECRET])],
        timeline=[TimelineEvent(time_us=0, actor="a", step="b", detail=SECRET)],
        difference=SECRET,
    )
    assert SECRET not in repr(mask.result(result))

"""Who may import whom: the contracts in pyproject.toml hold."""

from __future__ import annotations

from pathlib import Path

import pytest


def test_the_import_contracts_hold(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """An arrow never points up; see the layers in pyproject.toml."""
    cli = pytest.importorskip("importlinter.cli")
    root = Path(__file__).parents[1]
    monkeypatch.chdir(root)
    monkeypatch.syspath_prepend(str(root))
    status = cli.lint_imports(config_filename="pyproject.toml", no_cache=True)
    assert status == cli.EXIT_STATUS_SUCCESS, capsys.readouterr().out

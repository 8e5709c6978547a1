"""Versions of linters: pre-commit hooks and the extra `lint` pin the same ones."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PIN = re.compile(r'"([a-z-]+)==([\d.]+)"')


def test_hooks_pin_what_the_extra_pins():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    lint = project["project"]["optional-dependencies"]["lint"]
    extra = dict(need.split("==") for need in lint if "==" in need)
    hooks = PIN.findall((REPOSITORY / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert {name for name, _ in hooks} == {"ruff", "clang-format"}
    assert all(extra[name] == pinned for name, pinned in hooks)

"""A result to write reports of."""

from __future__ import annotations

import pytest
from tests.report.made_up import Result, made_up_result


@pytest.fixture
def result() -> Result:
    return made_up_result()

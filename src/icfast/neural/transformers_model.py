"""Causal language models of `transformers` as token models."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from icfast.backends.losses import TokenLosses
from icfast.errors import ModelError
from icfast.neural.device import TorchDevice, gpus, move_to
from icfast.neural.memory import bytes_per_token
from icfast.neural.output_layer import (
    FORMATS,
    OutputLayer,
    check_ids,
    default_threads,
    host_losses,
    inference,
    logits_losses,
)
from icfast.neural.token_model import CPU, TensorSize

#: Configuration keys for the maximum length of a context.
_CONTEXTS = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len")
#: Length of the context that a model is checked on.
_PROBE = 8
#: Value of `bos_id` that means: use the configuration's id.
_FROM_CONFIG = -1


class TransformersModel:
    """A causal language model of `transformers`; a `TokenModel`.

    Its begin id is the configuration's bos_token_id, or its eos_token_id if there is no other
    (GPT-2). Short contexts are padded at their end and need no mask: the constructor checks that no
    position depends on later ones. It also checks on a few tokens whether the output layer, applied
    to the hidden states, gives the model's own logits. If it does, losses are computed from hidden
    states without storing the logits; otherwise from the model's logits.

    Args:
        model: model of `transformers`.
        name: name of the model in results.
        tensors, sha256, tokenizer, tokenizer_sha256: see `TokenModel`.
        bos_id: id to feed before a document, or None for no id; the default is the configuration's.
        backend: backend of the losses on the CPU.
        device: cpu or cuda:N.

    Attributes:
        fused: whether losses are computed from hidden states.
        config: configuration of `transformers`.

    Raises:
        ModelError: a logit depends on later ids.
        ResourceError: the model does not fit in the device's memory.
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
        tokenizer: str | None = None,
        tokenizer_sha256: str | None = None,
        bos_id: int | None = _FROM_CONFIG,
        backend: str = "auto",
        device: str = CPU,
    ) -> None:
        self._model = move_to(device, model.eval().requires_grad_(False), name)
        self.device = device
        self.gpus = gpus(device)
        self._model.config.use_cache = False
        self.compute_format = FORMATS[str(model.dtype)]
        self.backend = backend
        self.name = name
        self.config = model.config
        self.tensors = tensors
        self.sha256 = sha256
        self.tokenizer = tokenizer
        self.tokenizer_sha256 = tokenizer_sha256
        text = _text_config(model.config)
        self.vocab_size = int(text.vocab_size)
        self.context = next((int(n) for key in _CONTEXTS if (n := getattr(text, key, None))), None)
        self.bos_id = _begin_id(text) if bos_id == _FROM_CONFIG else bos_id
        with inference(default_threads()):
            self._output = self._checked_output(_output_layer(model, text))
            self.bytes_per_token = self._measured_bytes()
        if self._output is not None:
            self.logits_format = self._output.logits_format

    @property
    def dtype(self) -> Any:
        """Dtype of the computation."""
        return self._model.dtype

    @property
    def logit_scale(self) -> float:
        """Factor that the configuration applies to the logits."""
        return _logit_scale(_text_config(self.config))

    @property
    def fused(self) -> bool:
        """Whether losses are computed from hidden states."""
        return self._output is not None

    def losses(
        self, ids: NDArray[np.int64], targets: NDArray[np.int64], threads: int
    ) -> TokenLosses:
        """Return losses as `TokenModel` describes."""
        check_ids(ids, self.name, self.vocab_size, self.context)
        return host_losses(self._tensor_losses, ids, targets, threads, self.device)

    def loss_device(self) -> TorchDevice:
        """Return the device that computes and sums the losses."""
        return TorchDevice.cuda(self.device, self._tensor_losses)

    def _tensor_losses(self, ids: Any, indices: Any, targets: Any, threads: int) -> TokenLosses:
        if self._output is not None:
            hidden = self._hidden(ids)
            return self._output.losses(hidden, indices, targets, threads, self._backend)
        logits = self._logits(ids)
        return logits_losses(logits, indices, targets, self.vocab_size, threads, self._backend)

    @property
    def _backend(self) -> str:
        """Backend of the losses; a device has only one."""
        return self.backend if self.device == CPU else "auto"

    def logits(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the logits of a few tokens, float32 (contexts, positions, V)."""
        check_ids(ids, self.name, self.vocab_size, self.context)
        import torch

        with inference(default_threads()):
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
        """Allocate as `losses` does: hidden states and a copy of the scored ones, or logits."""
        return self._hidden(tokens).clone() if self.fused else self._logits(tokens)

    def _checked_output(self, output: OutputLayer | None) -> OutputLayer | None:
        """Return the output layer if it gives the model's own logits from its hidden states.

        Raises:
            ModelError: a logit depends on later ids.
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
        except (AttributeError, RuntimeError):  # no hidden states, or another width
            return None
        if own.shape != logits.shape or self._differ(own, logits):
            return None
        return output

    def _differ(self, one: Any, other: Any) -> bool:
        """Return whether logits differ by more than rounding; NaN counts as equal."""
        import torch

        relative = max(1e-5, 2 * torch.finfo(self._coarsest(other)).eps)
        return bool((one - other).abs().max() > relative * other.abs().max())

    def _coarsest(self, logits: Any) -> Any:
        """Return the dtype that the logits were rounded to; several models widen them later."""
        import torch

        return max((logits.dtype, self._model.dtype), key=lambda dtype: torch.finfo(dtype).eps)

    def _check_causal(self, tokens: Any, logits: Any) -> None:
        other = tokens.clone()
        other[0, -1] = (other[0, -1] + 1) % self.vocab_size
        if tokens.shape[1] > 1 and self._differ(self._logits(other)[:, :-1], logits[:, :-1]):
            raise ModelError(
                f"{self.name} is not autoregressive: its logits change with later ids, so its "
                "losses are no code lengths. Use a causal language model"
            )


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
    """Return the output embedding with the configuration's scale and cap of the logits."""
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
        # A scale s before a cap c equals a cap of c / s, then the scale: c tanh(s x / c).
        softcap=None if not cap else float(cap) / scale,
        temperature=1 / scale,
    )


def _logit_scale(config: Any) -> float:
    """Return the factor of the logits, which Cohere, Granite and Falcon-H1 name differently."""
    scale = float(getattr(config, "logit_scale", None) or 1.0)
    scale /= float(getattr(config, "logits_scaling", None) or 1.0)
    return scale * float(getattr(config, "lm_head_multiplier", None) or 1.0)

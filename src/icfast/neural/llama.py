"""The forward pass of Llama and Qwen2 in torch, from the tensors of a GGUF file.

Rotary positions turn pairs of a head's dimensions. llama.cpp lets Llama's pairs lie side by side
(rows of q and k are stored in that order), Qwen2's halves of a head apart; here all lie halves
apart, rows are put back where they came from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from icfast.corpus.tokenizers.gguf_file import GgufFile
from icfast.errors import ModelError

#: Standard deviation of weights before training, where nothing else is said: Llama's default.
INITIALIZER_RANGE = 0.02
#: Architectures, and whether their q and k rows are stored pair by pair.
_PAIRED = {"llama": True, "qwen2": False}
#: Metadata of variants that compute something else, with the values that change nothing.
_UNSUPPORTED: dict[str, tuple[Any, ...]] = {
    "expert_count": (0,),
    "attention.sliding_window": (0,),
    "attention.clamp_kqv": (0.0,),
    "attention.scale": (0.0,),
    "logit_scale": (0.0, 1.0),
    "embedding_scale": (0.0, 1.0),
    "residual_scale": (0.0, 1.0),
    "final_logit_softcapping": (0.0,),
}


@dataclass(frozen=True)
class Shape:
    """The sizes and constants of a model, from its metadata.

    Attributes:
        paired: whether rows of q and k are stored for rotation of neighbours.
        rope_scale: positions are divided by it (linear scaling).
    """

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    context: int
    norm_eps: float
    rope_base: float
    rope_scale: float
    paired: bool

    @classmethod
    def of(cls, file: GgufFile) -> Shape:
        """The shape a file's metadata give.

        Raises:
            ModelError: another architecture, or a variant this forward pass does not compute.
        """
        name = file.need("general.architecture")
        if name not in _PAIRED:
            raise ModelError(
                f"{file.path} is of architecture {name!r}; only {' and '.join(_PAIRED)} can be "
                "computed from GGUF, use the model's own folder (hf:DIR)"
            )
        for key, harmless in _UNSUPPORTED.items():
            value = file.get(f"{name}.{key}", harmless[0])
            if value not in harmless:
                raise ModelError(
                    f"{file.path} has {name}.{key} {value}, which is not computed here"
                )
        hidden, heads = (
            file.need(f"{name}.embedding_length"),
            file.need(f"{name}.attention.head_count"),
        )
        if not isinstance(heads, int) or hidden % heads:
            raise ModelError(f"{file.path} has {heads} heads for {hidden} dimensions")
        head_dim = file.get(f"{name}.attention.key_length", hidden // heads)
        for key in ("rope.dimension_count", "attention.value_length"):
            if file.get(f"{name}.{key}", head_dim) != head_dim:
                raise ModelError(f"{file.path}: {name}.{key} is not the head's {head_dim}")
        return cls(
            layers=file.need(f"{name}.block_count"),
            hidden=hidden,
            heads=heads,
            kv_heads=file.get(f"{name}.attention.head_count_kv", heads),
            head_dim=head_dim,
            context=file.need(f"{name}.context_length"),
            norm_eps=file.need(f"{name}.attention.layer_norm_rms_epsilon"),
            rope_base=file.get(f"{name}.rope.freq_base", 10000.0),
            rope_scale=_rope_scale(file, name),
            paired=_PAIRED[name],
        )


def _rope_scale(file: GgufFile, name: str) -> float:
    kind = file.get(f"{name}.rope.scaling.type", "linear")
    factor = float(
        file.get(f"{name}.rope.scaling.factor", 0) or file.get(f"{name}.rope.scale_linear", 0)
    )
    if kind == "none" or not factor:
        return 1.0
    if kind != "linear":
        raise ModelError(
            f"{file.path} scales positions by {kind!r}; only linear scaling is computed"
        )
    return factor


class Layer:
    """One block's weights; a projection is its (weight, bias or None)."""

    def __init__(self, take: Callable[[str], Any], number: int, shape: Shape) -> None:
        def projection(name: str) -> tuple[Any, Any]:
            return take(f"blk.{number}.{name}.weight"), take(f"blk.{number}.{name}.bias?")

        def rotated(name: str, heads: int) -> tuple[Any, Any]:
            weight, bias = projection(name)
            if not shape.paired:
                return weight, bias
            return _halves(weight, heads), None if bias is None else _halves(bias, heads)

        self.attn_norm = take(f"blk.{number}.attn_norm.weight")
        self.q = rotated("attn_q", shape.heads)
        self.k = rotated("attn_k", shape.kv_heads)
        self.v = projection("attn_v")
        self.out = projection("attn_output")
        self.ffn_norm = take(f"blk.{number}.ffn_norm.weight")
        self.gate = projection("ffn_gate")
        self.up = projection("ffn_up")
        self.down = projection("ffn_down")


def _halves(rows: Any, heads: int) -> Any:
    """Rows of each head from pair by pair to first halves, then second halves."""
    return rows.reshape(heads, -1, 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


class Llama:
    """Weights and the way from ids to hidden states.

    Args:
        tensors: torch tensors by the GGUF file's names, each (out, in).

    Attributes:
        output: the output embedding, the input's where the file has none of its own.

    Raises:
        ModelError: a tensor is missing or of another shape, or one is there that is not known.
    """

    def __init__(self, tensors: Mapping[str, Any], shape: Shape, where: object) -> None:
        import torch

        left = dict(tensors)

        def take(name: str) -> Any:
            found = left.pop(name.removesuffix("?"), None)
            if found is None and not name.endswith("?"):
                raise ModelError(f"{where} has no tensor {name}; it is no complete model")
            return found

        self.shape = shape
        self.embedding = take("token_embd.weight")
        self.norm = take("output_norm.weight")
        output = take("output.weight?")
        self.output = self.embedding if output is None else output
        self.output_bias = take("output.bias?")
        frequencies = torch.arange(0, shape.head_dim, 2, dtype=torch.int64) / shape.head_dim
        self.frequencies = 1.0 / (shape.rope_base**frequencies) / shape.rope_scale
        factors = take("rope_freqs.weight?")
        if factors is not None:
            self.frequencies = self.frequencies / factors.float().cpu()
        self.frequencies = self.frequencies.to(self.embedding.device)
        self.layers = [Layer(take, number, shape) for number in range(shape.layers)]
        if left:
            raise ModelError(f"{where} has tensors that are not computed here: {', '.join(left)}")

    @staticmethod
    def drawn(tensors: Mapping[str, Any], generator: Any) -> dict[str, Any]:
        """New weights of the same shapes: matrices normal, norms one, biases zero."""
        import torch

        found = {}
        for name, tensor in tensors.items():
            new = torch.zeros(tensor.shape)
            if tensor.ndim == 2:
                new.normal_(0.0, INITIALIZER_RANGE, generator=generator)
            elif name == "rope_freqs.weight":
                new = tensor
            elif name.endswith("norm.weight"):
                new += 1.0
            found[name] = new.to(tensor.dtype)
        return found

    def hidden(self, ids: Any) -> Any:
        """Hidden states (windows, positions, D), after the last norm, of int64 ids."""
        from torch.nn import functional

        x = functional.embedding(ids, self.embedding)
        turn = self._turns(ids.shape[1], x.dtype)
        for layer in self.layers:
            x = x + self._attention(layer, self._normed(x, layer.attn_norm), turn)
            y = self._normed(x, layer.ffn_norm)
            gate = functional.silu(functional.linear(y, *layer.gate), inplace=True)
            gate *= functional.linear(y, *layer.up)
            x = x + functional.linear(gate, *layer.down)
        return self._normed(x, self.norm)

    def _normed(self, x: Any, weight: Any) -> Any:
        wide = x.float()
        scale = wide.square().mean(-1, keepdim=True).add_(self.shape.norm_eps).rsqrt_()
        return (wide * scale).to(x.dtype).mul_(weight)

    def _turns(self, positions: int, dtype: Any) -> tuple[Any, Any]:
        import torch

        steps = torch.arange(positions, dtype=torch.float32, device=self.frequencies.device)
        angles = torch.outer(steps, self.frequencies)
        return angles.cos().to(dtype), angles.sin().to(dtype)

    def _attention(self, layer: Layer, x: Any, turn: tuple[Any, Any]) -> Any:
        from torch.nn import functional

        windows, positions, _ = x.shape
        size, groups = self.shape.head_dim, self.shape.heads // self.shape.kv_heads

        def heads(projection: tuple[Any, Any]) -> Any:
            found = functional.linear(x, *projection)
            return found.view(windows, positions, -1, size).transpose(1, 2)

        q, k = _turned(heads(layer.q), *turn), _turned(heads(layer.k), *turn)
        k, v = (part.repeat_interleave(groups, dim=1) for part in (k, heads(layer.v)))
        found = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return functional.linear(found.transpose(1, 2).flatten(2), *layer.out)


def _turned(heads: Any, cosines: Any, sines: Any) -> Any:
    import torch

    first, second = heads.chunk(2, dim=-1)
    return torch.cat((first * cosines - second * sines, second * cosines + first * sines), dim=-1)

"""Options of commands that score a neural model."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from icfast.errors import OptionError
from icfast.neural.context_policy import ContextPolicy

if TYPE_CHECKING:
    from icfast.kneser_ney.compact import CompactModel
    from icfast.kneser_ney.model import NgramModel
    from icfast.neural.token_model import TokenModel
    from icfast.pipeline.neural import Neural

_PANEL = "Neural models"

#: Options that go to `icfast.score`; the others open the model.
_SCORING = ("window", "stride", "bos", "packed", "normaliser", "checkpoint", "batch")


def _option(text: str, metavar: str | None = None, default: Any = None) -> Any:
    """Return a field that `as_command` turns into an option."""
    described = {"help": text, "metavar": metavar, "panel": _PANEL}
    return field(default=default, metadata=described)


@dataclass(frozen=True)
class NeuralOptions(ContextPolicy):
    """How a neural model is opened and fed; keywords of `icfast.score`.

    Attributes:
        checkpoint: folder of finished parts of the work.
        batch: maximum contexts per batch.
        model_dtype: type of the computation.
        device: device that computes the model and sums its losses.
        initial_seed: seed of the same architecture with fresh weights, which is scored too.
    """

    checkpoint: Path | None = field(
        default=None,
        metadata={
            "help": "Folder for finished parts of the work; a later run resumes from it.",
            "metavar": "DIR",
            "panel": _PANEL,
        },
    )
    batch: int | None = _option(
        "Maximum contexts per batch. Default: as many as have 8192 tokens.", "N"
    )
    model_dtype: str | None = _option(
        "Type of the computation. Default: as stored for hf, float32 for gguf.",
        "float32|bfloat16|float16",
    )
    device: str = _option(
        "Device that computes the model and sums its losses.", "auto|cpu|cuda[:N]", "cpu"
    )
    initial_seed: int | None = _option(
        "Also score the same architecture with fresh random weights (corollary 4.1).", "SEED"
    )

    @property
    def given(self) -> dict[str, Any]:
        """Scoring options that differ from their defaults, by name."""
        return {name: value for name, value in self._changed().items() if name in _SCORING}

    def _changed(self) -> dict[str, Any]:
        defaults = vars(NeuralOptions())
        return {name: value for name, value in vars(self).items() if value != defaults[name]}

    def load(self, model: str, backend: str) -> NgramModel | CompactModel | TokenModel:
        """Open a model of any kind.

        Raises:
            ArtefactError, ModelError: the file is damaged or holds no model.
            OptionError: an option has no meaning for this kind of model.
            BackendError: the device is not available.
        """
        from icfast.quality.open_model import open_model

        return open_model(model, model_dtype=self.model_dtype, backend=backend, device=self.device)

    def neural(self, model: str | None, backend: str) -> Neural | None:
        """Open the neural model of `icfast measure`, None if none was named.

        Raises:
            OptionError: options are given without a model, or the model is not neural.
        """
        from icfast.kneser_ney.compact import CompactModel
        from icfast.kneser_ney.model import NgramModel
        from icfast.pipeline.neural import Neural

        if model is None:
            if changed := self._changed():
                raise OptionError(
                    f"{', '.join(changed)}: for neural models only; name one with --model"
                )
            return None
        loaded = self.load(model, backend)
        if isinstance(loaded, NgramModel | CompactModel):
            raise OptionError(
                f"{model} is an n-gram model, but icfast measure fits its own n-gram model to the "
                "training documents. Pass --model hf:DIR or gguf:FILE, or run icfast score, which "
                "takes any model."
            )
        return Neural(loaded, self.given, self.initial_seed)

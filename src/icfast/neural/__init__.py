"""Neural models: loading, contexts, losses of every token, checkpoints.

torch and transformers are imported when a model is loaded.
"""

from icfast.neural.load import GGUF, HF, load_model

__all__ = ["GGUF", "HF", "load_model"]

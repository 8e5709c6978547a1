"""Scoring by neural models broken on purpose."""

from tests.mutations.harness import Mutation

POLICY = "src/icfast/neural/context_policy.py"
CHECKPOINT = "src/icfast/neural/checkpoint.py"

MUTATIONS = [
    Mutation(
        "contexts are one token short",
        POLICY,
        "begin = np.maximum(end - self.window, 0)",
        "begin = np.maximum(end - self.window + 1, 0)",
        ("neural/test_context_policy.py",),
        "core",
    ),
    Mutation(
        "a context scores tokens from its begin",
        POLICY,
        "scored = np.where(rank == 0, 0, self.window + (rank - 1) * self.stride)",
        "scored = begin",
        ("neural/test_context_policy.py",),
        "core",
    ),
    Mutation(
        "the last context of a document is lost",
        POLICY,
        "1 - (-later // self.stride)",
        "1 + later // self.stride",
        ("neural/test_context_policy.py",),
        "core",
    ),
    Mutation(
        "without BOS the first token of a document is predicted",
        POLICY,
        "return 0 if self.bos_id is not None else 1",
        "return 0",
        ("neural/test_context_policy.py",),
        "core",
    ),
    Mutation(
        "the checksum of a checkpoint is not compared",
        CHECKPOINT,
        "if hashlib.sha256(content).digest() != stored[len(_MAGIC) : head]:",
        "if False:",
        ("neural/test_checkpoint.py",),
        "core",
    ),
    Mutation(
        "the key of a checkpoint is not compared",
        CHECKPOINT,
        "if content[: _KEY_BYTES.size + len(text)] != _KEY_BYTES.pack(len(text)) + text:",
        "if False:",
        ("neural/test_checkpoint.py",),
        "core",
    ),
]

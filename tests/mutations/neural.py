"""Scoring by neural models broken on purpose."""

from tests.mutations.harness import Mutation

POLICY = "src/icfast/neural/context_policy.py"
CHECKPOINT = "src/icfast/neural/checkpoint.py"
GGUF = "src/icfast/corpus/tokenizers/gguf_header.py"
TINY = "examples/train_tiny.py"

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
    Mutation(
        "the tiny run: training has another begin mark",
        TINY,
        "(1, 0), value=BEGIN)",
        "(1, 0), value=BEGIN + 1)",
        ("neural/test_train_tiny.py",),
        "core",
    ),
    Mutation(
        "the tiny run: the loss is logged after the update",
        TINY,
        "            losses.append(loss.item())\n",
        "            loss.backward(), optimizer.step(), optimizer.zero_grad()\n"
        "            loss = functional.cross_entropy(model(fed).flatten(0, 1), targets.flatten())\n"
        "            losses.append(loss.item())\n",
        ("neural/test_train_tiny.py",),
        "core",
    ),
    Mutation(
        "the tiny run: C is the loss of fresh weights",
        TINY,
        "    model.load_state_dict(load_file(weights))\n",
        "",
        ("neural/test_train_tiny.py",),
        "core",
    ),
    Mutation(
        "the tiny run: C has other windows",
        TINY,
        "window=WINDOW, bos=BEGIN",
        "window=WINDOW // 2, bos=BEGIN",
        ("neural/test_train_tiny.py",),
        "core",
    ),
    Mutation(
        "the tiny run: held-out windows are trained on",
        TINY,
        "trained_on, held_out = windows[:first], windows[-last:]",
        "trained_on, held_out = windows[:first], windows[:last]",
        ("neural/test_train_tiny.py",),
        "core",
    ),
    Mutation(
        "the tiny run: a second epoch has the order of the first",
        TINY,
        "        order = rng.permutation(order)\n",
        "",
        ("neural/test_train_tiny.py",),
        "core",
    ),
    Mutation(
        "the table of a GGUF file is not aligned",
        GGUF,
        "-(-cursor.at // alignment) * alignment",
        "cursor.at",
        ("corpus/test_gguf_file.py",),
        "core",
    ),
    Mutation(
        "a text may pass the end of a GGUF file",
        GGUF,
        "        self._advance(0)  # the last string may pass the end\n",
        "",
        ("corpus/test_gguf_file.py",),
        "core",
    ),
]

"""Readers of training logs broken on purpose."""

from tests.mutations.harness import Mutation

MUTATIONS = [
    Mutation(
        "steps counted from 0 are taken for steps counted from 1",
        "src/icfast/logs/assemble.py",
        "offset = int(parsed.counts_from_zero)",
        "offset = 0",
        ("logs/test_formats.py",),
    ),
    Mutation(
        "a step that was run again is kept twice",
        "src/icfast/logs/assemble.py",
        "while kept and kept[-1].step >= row.step:",
        "while False:",
        ("logs/test_labels.py", "logs/test_formats.py"),
    ),
    Mutation(
        "a moving mean is not noticed",
        "src/icfast/logs/smoothing.py",
        "return kept is not None and kept > _MOST_KEPT",
        "return False",
        ("logs/test_labels.py",),
    ),
    Mutation(
        "NaN is a loss",
        "src/icfast/logs/rows.py",
        "if not math.isfinite(value):",
        "if False:",
        ("logs/test_formats.py", "logs/test_labels.py"),
    ),
    Mutation(
        "lines are counted from 0",
        "src/icfast/logs/rows.py",
        "enumerate(text.splitlines(), 1)",
        "enumerate(text.splitlines(), 0)",
        ("logs/test_formats.py", "logs/test_labels.py"),
    ),
    Mutation(
        "a mean of a late log reaches back to the first token",
        "src/icfast/logs/assemble.py",
        "before[0] = max(0, ends[0] - usual)",
        "before[0] = 0",
        ("logs/test_formats.py", "logs/test_labels.py"),
    ),
    Mutation(
        "the tokens of one rank are those of all",
        "src/icfast/logs/choose.py",
        "most = max(found, key=self.last)",
        "most = min(found, key=self.last)",
        ("logs/test_columns.py",),
    ),
    Mutation(
        "runs below each other are one resumed run",
        "src/icfast/logs/runs.py",
        "    if changes <= falls:\n        return True",
        "    if changes <= falls:\n        return False",
        ("logs/test_several_runs.py",),
    ),
    Mutation(
        "a resumed run's epochs are always named from 1",
        "src/icfast/logs/passes.py",
        "bases = [base for base in (0.0, 1.0) if base <= names[0]]",
        "bases = [1.0]",
        ("logs/test_passes.py",),
    ),
    Mutation(
        "names of columns keep their separators",
        "src/icfast/columns.py",
        'return _SEPARATORS.sub("", name).casefold()',
        "return name.strip().casefold()",
        ("logs/test_spelling.py",),
    ),
    Mutation(
        "the row before counts for a token within a row",
        "src/icfast/laws/online_code.py",
        "if last < len(self.end_tokens) and self.start_tokens[last] < tokens:",
        "if False:",
        ("laws/test_first_pass.py",),
    ),
    Mutation(
        "a TensorBoard file that is cut short is not reported",
        "src/icfast/logs/tensorboard.py",
        "if any(file.is_cut for file in files):",
        "if False:",
        ("logs/test_tensorboard.py",),
    ),
    Mutation(
        "a wrong checksum ends a TensorBoard file silently",
        "src/icfast/logs/tensorboard.py",
        'is_cut = "truncated" in str(error)',
        "is_cut = True",
        ("logs/test_tensorboard.py",),
    ),
    Mutation(
        "TensorBoard files are ordered by name instead of time",
        "src/icfast/logs/tensorboard.py",
        "sorted((_read_file(path) for path in paths), key=lambda file: file.start)",
        "[_read_file(path) for path in paths]",
        ("logs/test_tensorboard.py",),
    ),
]

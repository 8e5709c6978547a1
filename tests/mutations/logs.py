"""Readers of training logs, and meters, broken on purpose."""

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
        "a wrap of an energy counter is not added",
        "src/icfast/energy/meter.py",
        "counts = now - before if now >= before else most - before + now",
        "counts = max(now - before, 0)",
        ("energy/test_meter.py",),
    ),
    Mutation(
        "a counter that was reset counts as wrapped",
        "src/icfast/energy/meter.py",
        "if 2 * counts > most:",
        "if False:",
        ("energy/test_meter.py",),
    ),
    Mutation(
        "counters are not read while the work runs",
        "src/icfast/energy/meter.py",
        "while not self._stop.wait(sample_seconds):",
        "while not self._stop.wait():",
        ("energy/test_meter.py",),
    ),
]

"""Energy meters broken on purpose."""

from tests.mutations.harness import Mutation

MUTATIONS = [
    Mutation(
        "rows of one run of codecarbon add up",
        "src/icfast/energy/sources.py",
        "return amounts[-1] if cumulative else math.fsum(amounts)",
        "return math.fsum(amounts)",
        ("energy/test_codecarbon.py",),
    ),
    Mutation(
        "the counts before a wrap are lost",
        "src/icfast/energy/meter.py",
        "now - before if now >= before else most - before + now",
        "now - before if now >= before else now",
        ("energy/test_meter.py",),
    ),
    Mutation(
        "a counter that was reset is taken for one that wrapped",
        "src/icfast/energy/meter.py",
        "if 2 * counts > most:",
        "if False:",
        ("energy/test_meter.py",),
    ),
    Mutation(
        "counters that wrap are not read while the window is open",
        "src/icfast/energy/meter.py",
        "while not self._stop.wait(sample_seconds):",
        "while False:",
        ("energy/test_meter.py",),
    ),
    Mutation(
        "zones that belong to no package are added",
        "src/icfast/energy/rapl.py",
        'if package is not None and name == "dram":',
        'if name == "dram":',
        ("energy/test_counters.py",),
    ),
    Mutation(
        "parts of a package are added to it",
        "src/icfast/energy/rapl.py",
        'if package is not None and name == "dram":',
        "if package is not None:",
        ("energy/test_counters.py",),
    ),
    Mutation(
        "CUDA_VISIBLE_DEVICES is read past its first invalid entry",
        "src/icfast/energy/nvml.py",
        "            break\n",
        "            continue\n",
        ("energy/test_counters.py",),
    ),
    Mutation(
        "GPUs are numbered although they differ",
        "src/icfast/energy/nvml.py",
        "if not by_bus and len({board.model for board in boards}) > 1:",
        "if False:",
        ("energy/test_counters.py",),
    ),
]

"""The rule for outputs, and the removal of temporaries, broken on purpose."""

from tests.mutations.harness import Mutation

MUTATIONS = [
    Mutation(
        "files of a set are replaced one by one",
        "src/icfast/files/publish.py",
        "for move in reversed(moves):\n            move.aside()",
        "for move in ():\n            move.aside()",
        ("files/test_atomic.py",),
    ),
    Mutation(
        "a set that was replaced in part is not put back",
        "src/icfast/files/sweep.py",
        'tag[1] == "journal" and',
        'tag[1] == "none" and',
        ("files/test_sweep.py",),
    ),
    Mutation(
        "a process with the same id keeps the temporaries of a dead one",
        "src/icfast/files/owners.py",
        'return "alive" if found == start else "dead"',
        'return "alive"',
        ("files/test_sweep.py",),
    ),
    Mutation(
        "temporaries of another container are removed",
        "src/icfast/files/owners.py",
        "    if self.space != here.space:\n            return",
        "    if False:\n            return",
        ("files/test_sweep.py",),
    ),
    Mutation(
        "a hard link to an input is overwritten",
        "src/icfast/files/outputs.py",
        "return one.samefile(other)",
        "return False",
        ("files/test_outputs.py", "cli/test_outputs.py"),
    ),
    Mutation(
        "a foreign file is overwritten",
        "src/icfast/files/outputs.py",
        "return output.is_ours(output.final)",
        "return True",
        ("files/test_outputs.py",),
    ),
    Mutation(
        "an output that appears during the work is overwritten",
        "src/icfast/files/outputs.py",
        "check=lambda: _refuse_existing(outputs, overwrite)",
        "check=lambda: None",
        ("files/test_outputs.py",),
    ),
    Mutation(
        "an edited report is overwritten",
        "src/icfast/pipeline/results.py",
        "return bool(_sha256(path) == listed[name])",
        "return True",
        ("cli/test_outputs.py",),
    ),
    Mutation(
        "results keep the model of an earlier command",
        "src/icfast/pipeline/results.py",
        "if asked[name] or name in earlier",
        "if asked[name]",
        ("cli/test_outputs.py",),
    ),
]

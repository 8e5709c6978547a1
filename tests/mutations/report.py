"""Charts broken on purpose."""

from tests.mutations.harness import Mutation

RUN = "src/icfast/report/run_charts.py"
SCALING = "src/icfast/report/scaling_charts.py"
ENERGY = "src/icfast/report/energy_chart.py"

MUTATIONS = [
    Mutation(
        "the absorbed area goes down to 0",
        RUN,
        "baseline=final, fill=True",
        "baseline=0.0, fill=True",
        ("report/test_run_report.py",),
        "core",
    ),
    Mutation(
        "the bounds of B are left out",
        RUN,
        "if abs(sums[0] - sums[1]) > _SAME * (run.online_bits or 0.0):",
        "if False:",
        ("report/test_run_report.py",),
        "core",
    ),
    Mutation(
        "later epochs are left out",
        RUN,
        "    if run.tokens_seen > tokens:\n",
        "    if False:\n",
        ("report/test_run_report.py",),
        "core",
    ),
    Mutation(
        "energies of a run are on linear axes",
        RUN,
        '    _logarithmic(axes, "joules")\n',
        "",
        ("report/test_run_report.py",),
        "core",
    ),
    Mutation(
        "floors count as spent energy",
        ENERGY,
        "spent = source not in (LANDAUER, COMPARISON)",
        "spent = True",
        ("report/test_energy_chart.py",),
        "core",
    ),
    Mutation(
        "energies are on a linear axis",
        ENERGY,
        '    axes.set_xscale("log")\n',
        "",
        ("report/test_energy_chart.py",),
        "core",
    ),
    Mutation(
        "scaling lines are on linear axes",
        SCALING,
        'axes.set(xscale="log", yscale="log", xlabel="tokens D"',
        'axes.set(xlabel="tokens D"',
        ("report/test_scaling_report.py",),
        "core",
    ),
    Mutation(
        "errors of a fit are upside down",
        SCALING,
        "math.log(loss / fit)",
        "math.log(fit / loss)",
        ("report/test_scaling_report.py",),
        "core",
    ),
    Mutation(
        "a floor is drawn in Kaplan's form",
        SCALING,
        ' if form == "chinchilla" else 0.0',
        "",
        ("report/test_scaling_report.py",),
        "core",
    ),
    Mutation(
        "runs are drawn on another line of P",
        SCALING,
        "if run.line == line]",
        "if run.line != line]",
        ("report/test_scaling_report.py",),
        "core",
    ),
]

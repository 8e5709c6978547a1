"""Records of `icfast laws run` and `icfast laws scaling`."""

from __future__ import annotations

from dataclasses import dataclass, field

from icfast.laws.scaling import ScalingFit
from icfast.laws.training_result import TrainingRun
from icfast.pipeline.records.base import FLAT, Result
from icfast.units import DASH, format_bits, format_count, format_fixed, format_ratio


@dataclass(frozen=True)
class InputFile:
    """File that was read.

    Attributes:
        path: path of the file.
        bytes: its size, bytes.
        sha256: its hash.
    """

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True, repr=False)
class TrainingResult(Result):
    """Result of `icfast laws run`; the content of result.json.

    Attributes:
        schema_version: version of the field names.
        icfast_version: version of icfast that computed it.
        inputs: files of the log.
        convention: conventions of every figure.
        units: units of figures whose name does not end in one.
        run: figures of the run.
    """

    schema_version: int
    icfast_version: str
    inputs: tuple[InputFile, ...]
    convention: dict[str, str]
    units: dict[str, str]
    run: TrainingRun = field(metadata=FLAT)

    def facts(self) -> dict[str, str]:
        """Return the main figures as text, by name."""
        run = self.run
        return {
            "tokens": format_count(run.unique_tokens),
            "final loss": f"{format_fixed(run.final_loss_bits_per_token)} bits/token",
            "absorbed": format_bits(run.absorbed_bits),
            "eta": format_ratio(run.eta),
            "more tokens": run.saturation.verdict,
        }


@dataclass(frozen=True)
class FittedForm:
    """One form of scaling law, fitted.

    Attributes:
        formula: formula of the form.
        fit: the fit.
    """

    formula: str
    fit: ScalingFit = field(metadata=FLAT)


@dataclass(frozen=True)
class ScalingRun:
    """One run of the table, with what both fits say of it.

    Attributes:
        params: P, number of parameters.
        tokens: D, number of tokens.
        loss_nats: L, measured loss, nats per token.
        line: index of its line of equal P.
        chinchilla_nats: loss of Chinchilla's form, nats per token.
        kaplan_nats: loss of Kaplan's form, nats per token.
        reducible_params_nats: A P^-alpha, nats per token.
        reducible_tokens_nats: B D^-beta, nats per token.
    """

    params: float
    tokens: float
    loss_nats: float
    line: int
    chinchilla_nats: float
    kaplan_nats: float
    reducible_params_nats: float
    reducible_tokens_nats: float


@dataclass(frozen=True)
class ScalingLine:
    """Both fits along one line of equal P.

    Attributes:
        params: P of the line.
        tokens: D of its points.
        chinchilla_nats: loss of Chinchilla's form at each, nats per token.
        kaplan_nats: loss of Kaplan's form at each, nats per token.
    """

    params: float
    tokens: tuple[float, ...]
    chinchilla_nats: tuple[float, ...]
    kaplan_nats: tuple[float, ...]


@dataclass(frozen=True, repr=False)
class ScalingResult(Result):
    """Result of `icfast laws scaling`; the content of result.json.

    Attributes:
        schema_version: version of the field names.
        icfast_version: version of icfast that computed it.
        inputs: the table of runs.
        convention: conventions of every figure.
        units: units of the constants.
        huber_delta: error of ln L beyond which errors count linearly.
        chinchilla: fit of L = E + A P^-alpha + B D^-beta.
        kaplan: fit of L = [(N_c/P)^(alpha_N/alpha_D) + D_c/D]^alpha_D.
        runs: every run.
        lines: lines of equal P through the runs.
    """

    schema_version: int
    icfast_version: str
    inputs: tuple[InputFile, ...]
    convention: dict[str, str]
    units: dict[str, str]
    huber_delta: float
    chinchilla: FittedForm
    kaplan: FittedForm
    runs: tuple[ScalingRun, ...]
    lines: tuple[ScalingLine, ...]

    def facts(self) -> dict[str, str]:
        """Return the main figures as text, by name."""
        exponent = self.chinchilla.fit.params_exponent
        return {
            "runs": format_count(len(self.runs)),
            "E": f"{format_fixed(self.chinchilla.fit.constants['e'].estimate)} nats/token",
            "optimum": DASH if exponent is None else f"P ~ C^{format_fixed(exponent.estimate, 3)}",
        }

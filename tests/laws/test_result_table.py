"""Results in a notebook: values as a table, curves left out, short reprs."""

from __future__ import annotations

from dataclasses import is_dataclass
from xml.etree import ElementTree

import numpy as np
from tests.laws.examples import BALANCE, logged, power

from icfast import laws
from icfast.laws.result_table import ResultTable


def cells(result: ResultTable) -> dict[str, str]:
    rows = ElementTree.fromstring(result._repr_html_()).iter("tr")
    return {row[0].text or "": row[1].text or "" for row in rows}


def test_a_capacity_shows_its_values() -> None:
    found = cells(laws.capacity(**BALANCE, baseline="<unigram>"))
    assert found["tokens"] == "3,000,000,000"
    assert found["bits_saved"] == "18 Gbit"
    assert found["baseline"] == "<unigram>"
    assert found["eta_standard_error"] == "–"
    assert "compared" not in found


def test_a_run_shows_no_curves_and_prints_short() -> None:
    run = laws.training_run(logged(power(40_000)), final_loss_nats_per_token=2.0)
    found = cells(run)
    assert found["unique_tokens"] == "40,000"
    assert found["flags"].startswith("epochs are not logged")
    assert "trajectory" not in found
    assert "trajectory" not in repr(run)
    assert len(repr(run)) < 3000
    assert "[" in cells(run.saturation)["exponent"]
    assert "fitted=" not in repr(run.saturation)


def test_energies_carry_their_unit() -> None:
    assert cells(laws.energy(bits=1000.0))["energy_joules"] == "2.87e-18 J"


def test_dictionaries_have_a_row_per_key() -> None:
    rate = laws.extrapolated_entropy_rate([2 + 2.0**-n for n in range(1, 6)])
    assert cells(rate)["by_form: exponential"] == "2"


def test_a_log_prints_short() -> None:
    log = logged(power(400), learning_rate=np.ones(20))
    assert repr(log) == "TrainingLog(made, 400 tokens, 20 training losses, 0 evaluations)"
    assert ">learning_rate</td>" in log._repr_html_()


def test_every_result_is_frozen() -> None:
    found = [getattr(laws, name) for name in laws.__all__]
    results = [value for value in found if isinstance(value, type) and is_dataclass(value)]
    assert len(results) > 25
    assert all(value.__dataclass_params__.frozen for value in results)

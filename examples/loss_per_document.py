"""Find documents unlike the rest: fit a model on some text and score other text with it."""

import tempfile
from pathlib import Path

import icfast
from icfast.laws.loss import bits_per_token

here = Path(__file__).parent.parent

with tempfile.TemporaryDirectory() as folder:
    train, test = Path(folder) / "train.ds", Path(folder) / "test.ds"
    icfast.tokenize(sorted((here / "src").rglob("*.py")), train)
    icfast.tokenize([here / "docs", here / "examples"], test)
    model = icfast.fit(icfast.open(train), order=5)
    scores = icfast.score(icfast.open(test), model)

print(f"{bits_per_token(scores.total):.3f} bits per byte over {scores.total.documents} documents")
for nats, tokens in zip(scores.loss_nats, scores.predicted_tokens, strict=True):
    print(f"{nats / tokens:8.4f} nats per byte in {tokens} bytes")

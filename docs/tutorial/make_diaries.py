"""Write a folder of made-up weather diaries: python make_diaries.py texts

A small Markov chain draws the weather, and each day gets one sentence. Every draw has a known
probability, so the script also knows how many bits the diaries really hold.
"""

import math
import random
import sys
from pathlib import Path

DIARIES, DAYS = 400, 30
NEXT = {
    "sunny": {"sunny": 0.7, "cloudy": 0.2, "rainy": 0.1},
    "cloudy": {"sunny": 0.3, "cloudy": 0.4, "rainy": 0.3},
    "rainy": {"sunny": 0.2, "cloudy": 0.4, "rainy": 0.4},
}
DONE = {
    "sunny": {"swam in the lake": 0.5, "mowed the lawn": 0.3, "picked cherries": 0.2},
    "cloudy": {"walked to the harbour": 0.6, "repaired the fence": 0.4},
    "rainy": {"read by the stove": 0.7, "wrote three letters": 0.2, "baked bread": 0.1},
}


def draw(rng: random.Random, shares: dict[str, float]) -> tuple[str, float]:
    """Return one of the words, drawn by its share, and the bits of that choice."""
    word = rng.choices(list(shares), list(shares.values()))[0]
    return word, -math.log2(shares[word])


def diary(rng: random.Random) -> tuple[str, float]:
    """Return the text of one diary and the bits it holds."""
    weather, total, lines = "sunny", 0.0, []
    for _ in range(DAYS):
        weather, bits = draw(rng, NEXT[weather])
        done, more = draw(rng, DONE[weather])
        lines.append(f"It was {weather}. We {done}.\n")
        total += bits + more
    return "".join(lines), total


folder = Path(sys.argv[1])
folder.mkdir()
rng, total, size = random.Random(0), 0.0, 0
for number in range(DIARIES):
    text, bits = diary(rng)
    (folder / f"diary-{number:03}.txt").write_bytes(text.encode())
    total, size = total + bits, size + len(text)
words = text.split()
rng.shuffle(words)
(folder / "shuffled.txt").write_bytes(" ".join(words).encode())
print(f"{DIARIES} diaries of {size:,} bytes hold {total / size:.4f} bits per byte")

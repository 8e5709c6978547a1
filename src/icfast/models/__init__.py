"""Models of token sequences: Kneser-Ney n-grams (neural ones are still to come)."""

"""Models of token sequences: Kneser-Ney n-grams, and neural ones that are fed windows."""

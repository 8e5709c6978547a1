"""Compress a Kneser-Ney model: prune n-grams, quantise their numbers, pack them in few bits."""

"""Losses of logits and of hidden states, for arrays of any library."""

"""The kernel contract, the backends that fulfil it, and the choice between them."""

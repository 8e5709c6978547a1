"""The kernel contract, its implementations (backends), and the choice among them."""

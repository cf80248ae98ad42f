"""How parameters are learned: knows the shape of a model, never a particular one."""

"""What to do about it: the bridge from formula to model, unit economics, scenarios, and the budget split."""

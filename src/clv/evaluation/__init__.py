"""Forecasts against what happened, and against what a simple formula would have said."""

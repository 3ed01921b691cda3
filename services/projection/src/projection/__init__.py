"""Folds Stripe's events into Holdfast's tables, in order, once."""

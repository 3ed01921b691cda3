"""A stateful, honest Stripe double for development and tests."""

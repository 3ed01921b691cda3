"""Compares with Stripe, recovers what stalled, retries what failed."""

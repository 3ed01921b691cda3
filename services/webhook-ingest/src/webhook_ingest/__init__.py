"""Receives Stripe's webhooks, verifies them and makes them durable in Kafka."""

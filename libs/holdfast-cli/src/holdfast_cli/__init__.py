"""The holdfast command: local stack, demo and operator commands."""

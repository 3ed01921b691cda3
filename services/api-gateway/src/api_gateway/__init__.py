"""HTTP edge of Holdfast: authenticates, validates, reads, and turns writes into commands."""

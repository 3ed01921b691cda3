"""What two or more Holdfast services share: domain, contracts, storage, messaging, Stripe."""

"""Executes billing commands: claim, freeze, call Stripe, bind, answer."""

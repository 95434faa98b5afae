"""Accounts at run time: tokens, passwords, revocation."""

"""Accounts: registration, login, tokens, login sessions, passwords."""

"""Accounts: who may come in, with which credentials, and which logins are still good."""

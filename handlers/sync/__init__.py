"""Catching up: one command for all Collections."""

"""Consumers of Facts."""

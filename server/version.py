"""The version of Rookery."""

VERSION = "0.1.0"

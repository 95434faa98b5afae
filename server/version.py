"""The version that the server tells its clients."""

VERSION = "0.1.0"

"""What everybody may import: declarations, errors, the values of the wire, identities."""

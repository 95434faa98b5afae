"""What every other package may import: declarations, errors, wire types, identities, packed ids."""

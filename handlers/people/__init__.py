"""People: who they are, whom they follow, whom they block."""

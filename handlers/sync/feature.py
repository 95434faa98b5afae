"""The sync feature."""

from __future__ import annotations

from collections.abc import Sequence

from handlers.feature import Feature, bind_command
from handlers.sync.contract import pull_command
from handlers.sync.operations import Puller
from realtime.contract.collections import COLLECTION_CHANGED


def sync_feature(features: Sequence[Feature]) -> Feature:
    """Lets clients catch up with the Collections of these features."""
    collections = [bound for feature in features for bound in feature.collections]
    command = pull_command([bound.collection for bound in collections])
    puller = Puller({bound.collection.name: bound for bound in collections})
    return Feature(name="sync", commands=(bind_command(command, puller.pull),), pushes=(COLLECTION_CHANGED,))

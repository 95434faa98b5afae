import subprocess
import sys

from tests.house.checkout import CHECKOUT

_SCRIPT = """
import gc
from realtime.process.garbage_collection import spare_full_collections
spare_full_collections()
print(gc.get_threshold(), gc.get_freeze_count() > 1_000, gc.isenabled())
"""


def test_imported_modules_are_frozen_and_full_collections_are_rare() -> None:
    # in a process of its own: freezing cannot be limited to a test
    done = subprocess.run([sys.executable, "-c", _SCRIPT], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(10000, 20, 100) True True"

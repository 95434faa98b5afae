import subprocess
import sys

from tests.house.checkout import CHECKOUT

_LOOK = """
import gc
from realtime.process.garbage_collection import spare_full_collections
spare_full_collections()
print(gc.get_threshold(), gc.get_freeze_count() > 1_000, gc.isenabled())
"""


def test_what_is_there_at_the_start_is_never_looked_at_again_and_the_rest_seldom() -> None:
    # in a process of its own: freezing is for a whole life
    done = subprocess.run([sys.executable, "-c", _LOOK], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(10000, 20, 100) True True"

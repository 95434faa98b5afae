"""JavaScript packages are locked as the Python ones are: by hash, for any registry."""

import json

from tests.house.checkout import CHECKOUT

_NOT_OURS = {"node_modules", ".venv", ".data"}


def test_the_lock_files_hold_hashes_and_no_address() -> None:
    locks = [path for path in CHECKOUT.rglob("package-lock.json") if not _NOT_OURS & set(path.parts)]
    assert CHECKOUT / "tests" / "js" / "package-lock.json" in locks
    for lock in locks:
        locked = json.loads(lock.read_text())["packages"]
        packages = {name: package for name, package in locked.items() if name}
        assert not [name for name, package in packages.items() if "resolved" in package], f"{lock}: see tests/js/.npmrc"
        assert packages and all(package["integrity"].startswith("sha512-") for package in packages.values())
        for name, version in json.loads((lock.parent / "package.json").read_text())["dependencies"].items():
            assert packages[f"node_modules/{name}"]["version"] == version

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from server.accounts.secrets_file import FILE_NAME, SecretsError, SigningKey, signing_keys


def test_keys_are_made_once_and_kept(tmp_path: Path) -> None:
    [key] = signing_keys((), tmp_path / "data")
    assert len(key.secret) >= 32
    assert signing_keys((), tmp_path / "data") == (key,)
    assert stat.S_IMODE((tmp_path / "data" / FILE_NAME).stat().st_mode) == 0o600


def test_two_deployments_have_different_keys(tmp_path: Path) -> None:
    assert signing_keys((), tmp_path / "one") != signing_keys((), tmp_path / "two")


def test_processes_that_start_at_once_get_the_same_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: signing_keys((), tmp_path), range(16)))
    assert len(set(found)) == 1
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def test_configured_keys_win_and_no_file_is_made(tmp_path: Path) -> None:
    keys = signing_keys((("new", "n" * 32), ("old", "o" * 32)), tmp_path)
    assert keys == (SigningKey("new", b"n" * 32), SigningKey("old", b"o" * 32))
    assert not list(tmp_path.iterdir())


def test_the_file_may_hold_several_keys_the_first_signs(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    path.touch(mode=0o600)
    path.write_text(f"new:{'n' * 32}\nold:{'o' * 32}\n")
    assert [key.kid for key in signing_keys((), tmp_path)] == ["new", "old"]


@pytest.mark.parametrize("content", ["", "\n", "no colon", "kid:short", f"a:{'x' * 32}\na:{'y' * 32}", "\xff"])
def test_a_damaged_file_is_reported_in_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / FILE_NAME
    path.touch(mode=0o600)
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(SecretsError) as failure:
        signing_keys((), tmp_path)
    assert str(path) in str(failure.value) and "delete it" in str(failure.value)
    assert "\n" not in str(failure.value)


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    signing_keys((), tmp_path)
    (tmp_path / FILE_NAME).chmod(0o640)
    with pytest.raises(SecretsError, match="chmod 600"):
        signing_keys((), tmp_path)


def test_a_folder_that_cannot_be_created_is_reported_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SecretsError, match="TOKEN_SECRETS"):
        signing_keys((), tmp_path / "file")


def test_a_key_does_not_show_its_secret() -> None:
    assert "hidden" not in repr(SigningKey("kid", b"hidden" * 8))

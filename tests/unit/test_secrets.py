"""The key file, what is sealed with it, and what is derived from it."""

import os
import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from bot.storage.files import StorageError
from bot.storage.secrets import Vault


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "inner" / "secret.key"


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Vault:
    return Vault(tmp_path_factory.mktemp("vault") / "secret.key")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_first_start_makes_a_key_that_only_the_bot_can_read(path: Path) -> None:
    Vault(path)

    assert mode(path) == 0o600
    assert mode(path.parent) == mode(path.parent.parent) == 0o700
    assert Fernet(path.read_text().strip())


def test_the_key_is_private_whatever_the_umask_is(path: Path) -> None:
    before = os.umask(0)
    try:
        Vault(path)
    finally:
        os.umask(before)

    assert mode(path) == 0o600
    assert mode(path.parent) == 0o700


def test_a_second_start_uses_the_same_key(path: Path) -> None:
    sealed = Vault(path).seal("api key")
    content = path.read_bytes()

    again = Vault(path)

    assert again.open(sealed) == "api key"
    assert again.derive("x") == Vault(path).derive("x")
    assert path.read_bytes() == content


@pytest.mark.parametrize("wrong", [0o644, 0o604, 0o640, 0o660, 0o666, 0o601])
def test_a_key_that_others_can_read_is_refused_and_said_how_to_mend(path: Path, wrong: int) -> None:
    Vault(path)
    path.chmod(wrong)

    with pytest.raises(StorageError, match=f"chmod 600 {path}"):
        Vault(path)


def test_a_key_without_write_permission_is_fine(path: Path) -> None:
    Vault(path)
    path.chmod(0o400)

    assert Vault(path).open(Vault(path).seal("x")) == "x"


@pytest.mark.parametrize("content", [b"", b"\n \n", b"too short", b"\xff\xfe", b"A" * 43])
def test_a_damaged_key_file_is_refused_and_left_as_it_is(path: Path, content: bytes) -> None:
    Vault(path)
    path.write_bytes(content)

    with pytest.raises(StorageError) as refused:
        Vault(path)

    assert str(path) in str(refused.value)
    assert path.read_bytes() == content


def test_a_folder_that_cannot_be_made_is_said_plainly(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StorageError, match="cannot be"):
        Vault(tmp_path / "file" / "data" / "secret.key")


def test_no_error_shows_the_key(path: Path) -> None:
    key = Fernet.generate_key().decode()
    Vault(path)
    path.write_text(f"{key}\nnonsense\n")

    with pytest.raises(StorageError) as refused:
        Vault(path)

    assert key not in str(refused.value)
    assert "nonsense" not in str(refused.value)


def test_another_key_does_not_open_it(tmp_path: Path) -> None:
    sealed = Vault(tmp_path / "a").seal("secret")

    with pytest.raises(StorageError, match=str(tmp_path / "b")):
        Vault(tmp_path / "b").open(sealed)


@pytest.mark.parametrize("damaged", ["", "gAAAA", "not sealed", "😄"])
def test_what_was_altered_does_not_open(vault: Vault, damaged: str) -> None:
    with pytest.raises(StorageError):
        vault.open(damaged)
    with pytest.raises(StorageError):
        vault.open(vault.seal("secret")[:-4] + "AAA=")


def test_a_new_key_in_front_of_the_old_one_keeps_everything_readable(path: Path) -> None:
    old = Vault(path)
    sealed, derived = old.seal("secret"), old.derive("visitor token", "1", "2")
    path.write_text(f"{Fernet.generate_key().decode()}\n{path.read_text()}")

    new = Vault(path)

    assert new.open(sealed) == "secret"
    assert new.derive("visitor token", "1", "2") == derived
    assert old.open(new.seal("secret")) == "secret", "a program that runs reads the new file by itself"


@given(st.text(st.characters()))
def test_every_text_comes_back(vault: Vault, text: str) -> None:
    sealed = vault.seal(text)

    assert vault.open(sealed) == text
    assert len(text) < 4 or text not in sealed


def test_the_same_text_is_sealed_differently_each_time(vault: Vault) -> None:
    assert vault.seal("secret") != vault.seal("secret")


@given(st.lists(st.text(st.characters()), min_size=1), st.lists(st.text(st.characters()), min_size=1))
def test_only_the_same_purpose_and_parts_give_the_same_bytes(vault: Vault, one: list[str], other: list[str]) -> None:
    same = vault.derive(*one) == vault.derive(*other)

    assert same == (one == other)
    assert len(vault.derive(*one)) == 32


def test_parts_do_not_run_into_each_other(vault: Vault) -> None:
    assert vault.derive("t", "49", "1701") != vault.derive("t", "491", "701")
    assert vault.derive("t", "x") != vault.derive("t", "x", "")


def test_two_installations_derive_differently(tmp_path: Path) -> None:
    assert Vault(tmp_path / "a").derive("t", "1") != Vault(tmp_path / "b").derive("t", "1")

"""Opening deliveries with a person's own key: OpenSSH ed25519 and RSA, or an age identity.

pyrage does not read keys that have a passphrase; these are decrypted here, in memory, and nothing
is ever written. A passphrase is asked for only when the delivery was sealed to that very key.
"""

from __future__ import annotations

import base64
import binascii
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyrage
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from daypass.adapters import key_files
from daypass.adapters.home import home_folder
from daypass.adapters.key_files import UnfitKeyError
from daypass.errors import SealingError
from daypass.model.public_key import ssh_fingerprint
from daypass.model.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_DEFAULT_NAMES: Final = ("id_ed25519", "id_rsa")
_AGE_FILE: Final = (b"-----BEGIN AGE ENCRYPTED FILE-----", b"age-encryption.org/v1")
_ENCRYPTED_PKCS8: Final = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"
_LARGEST: Final = 65536  # bytes; private keys are a few thousand
_TRIES: Final = 3
_TAG: Final = 4  # bytes of the public key's SHA-256 by which an age file names an SSH recipient
_REMEDY: Final = (
    "Name the right key with `--identity FILE`: an OpenSSH private key (ed25519 or RSA), or an age "
    "identity. Keys that live in an agent or on a security key cannot open age files."
)


def open_sealed(
    armored: str, key_file: Path | None, ask_passphrase: Callable[[Path], Secret]
) -> Secret:
    """Decrypt an armored age file.

    Args:
        armored: the delivery.
        key_file: the private key or age identity; None tries ~/.ssh/id_ed25519 and ~/.ssh/id_rsa.
        ask_passphrase: called, up to three times, when a key that fits has a passphrase.

    Raises:
        SealingError: no key at hand opens it; the message names each that was tried, and why.
    """
    tags = _recipient_tags(armored)
    paths = (key_file,) if key_file is not None else _default_keys()
    if not paths:
        raise SealingError("there is neither ~/.ssh/id_ed25519 nor ~/.ssh/id_rsa", remedy=_REMEDY)
    tried: list[str] = []
    remedies: list[str] = []
    for path in paths:
        try:
            identities = _identities(path, tags, ask_passphrase)
            plain = pyrage.decrypt(armored.encode("ascii", "replace"), identities)
            return Secret(plain.decode("ascii"))
        except UnfitKeyError as error:
            tried.append(f"{path}: {error}")
            remedies.append(error.remedy or _REMEDY)
        except (pyrage.DecryptError, UnicodeDecodeError):
            tried.append(f"{path}: this key does not open it")
            remedies.append(_REMEDY)
    raise SealingError(
        f"the delivery cannot be opened ({'; '.join(tried)})",
        remedy=" ".join(sorted(dict.fromkeys(remedies), key=_REMEDY.__eq__)),
    )


@dataclass(frozen=True, slots=True)
class _Passphrase:
    """Asks for the passphrase of one file."""

    path: Path
    told: os.stat_result  # of the file
    ask: Callable[[Path], Secret]

    def unlock(self, attempt: Callable[[bytes], Any]) -> Any:
        """What `attempt` makes of the right passphrase. It raises ValueError for a wrong one."""
        key_files.refuse_shared(self.path, self.told)
        for _ in range(_TRIES):
            try:
                return attempt(self.ask(self.path).reveal().encode())
            except ValueError:
                continue
        raise UnfitKeyError("the passphrase is wrong")


def _default_keys() -> tuple[Path, ...]:
    home = home_folder()
    if home is None:
        raise SealingError(
            "no private key was named, and there is no home folder to look for one",
            remedy="Name it with `--identity FILE`, or set HOME.",
        )
    paths = [home / ".ssh" / name for name in _DEFAULT_NAMES]
    return tuple(path for path in paths if path.is_file())


def _identities(path: Path, tags: frozenset[bytes], ask: Callable[[Path], Secret]) -> list[Any]:
    """The pyrage identities in a file. Raises UnfitKeyError when it cannot fit this delivery."""
    try:
        with path.open("rb") as file:
            told = os.fstat(file.fileno())
            data = file.read(_LARGEST).strip()
    except OSError as error:
        raise UnfitKeyError(error.strerror or "cannot be read") from None
    found = _read_identities(data, tags, _Passphrase(path, told, ask))
    key_files.refuse_shared(path, told)
    return found


def _read_identities(data: bytes, tags: frozenset[bytes], passphrase: _Passphrase) -> list[Any]:
    if data.startswith(_AGE_FILE):
        return _age_identities(passphrase.unlock(lambda text: _age_decrypt(data, text)))
    key_files.refuse_others(passphrase.path, data)
    if data.startswith(key_files.OPENSSH):
        return [_openssh_identity(data, tags, passphrase)]
    if data.startswith(key_files.PEM):
        return [_pem_identity(data, passphrase)]
    return _age_identities(data)


def _age_decrypt(data: bytes, passphrase: bytes) -> bytes:
    try:
        return bytes(pyrage.passphrase.decrypt(data, passphrase.decode()))
    except pyrage.DecryptError as error:
        if "work parameter" in str(error):  # age measures the machine, and tries nothing
            raise UnfitKeyError(
                "to try its passphrase would take this machine too long",
                remedy="Run the command again when less runs here, or encrypt the identity anew "
                "on this machine (`age -p`).",
            ) from None
        raise ValueError("wrong passphrase") from None


def _age_identities(data: bytes) -> list[Any]:
    lines = (line.strip() for line in data.decode("ascii", "replace").splitlines())
    keys = [line for line in lines if line and not line.startswith("#")]
    try:
        found = [pyrage.x25519.Identity.from_str(key) for key in keys]
    except pyrage.IdentityError:
        found = []
    if not found:
        raise UnfitKeyError("neither an OpenSSH private key nor an age identity")
    return found


def _openssh_identity(data: bytes, tags: frozenset[bytes], passphrase: _Passphrase) -> Any:
    clear = key_files.read_openssh(data)
    clear.refuse_type()
    if _tag(clear.blob) not in tags:
        raise UnfitKeyError(f"{ssh_fingerprint(clear.blob)}, and it was not sealed to that key")
    load = serialization.load_ssh_private_key
    try:
        try:
            key: object = load(data, None)
        except TypeError:  # it has a passphrase
            key = passphrase.unlock(lambda text: load(data, text))
    except UnsupportedAlgorithm:
        raise key_files.unknown_cipher(passphrase.path, clear.cipher) from None
    except ValueError:
        raise UnfitKeyError("the private key is broken") from None
    return _ssh_identity(key)


def _pem_identity(data: bytes, passphrase: _Passphrase) -> Any:
    def load(text: bytes | None) -> object:
        try:
            return serialization.load_pem_private_key(data, text)
        except ValueError as error:
            # Any other ValueError than this one is a wrong passphrase.
            if str(error).startswith("Unknown key encryption algorithm"):
                raise key_files.unknown_pkcs8(passphrase.path) from None
            raise

    try:
        try:
            key = load(None)
        except TypeError:
            key = passphrase.unlock(load)
    except (ValueError, UnsupportedAlgorithm):
        if data.startswith(_ENCRYPTED_PKCS8):
            raise key_files.unknown_pkcs8(passphrase.path) from None
        raise UnfitKeyError("no private key of a kind that is known") from None
    return _ssh_identity(key)


def _ssh_identity(key: object) -> Any:
    if not isinstance(key, Ed25519PrivateKey | RSAPrivateKey):
        raise UnfitKeyError("age opens with ed25519 and RSA keys only")
    plain = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    try:
        return pyrage.ssh.Identity.from_buffer(plain)
    except pyrage.IdentityError:
        raise UnfitKeyError("age does not accept this key") from None


def _tag(blob: bytes) -> bytes:
    digest = base64.b64decode(ssh_fingerprint(blob).removeprefix("SHA256:") + "=")
    return digest[:_TAG]


def _recipient_tags(armored: str) -> frozenset[bytes]:
    """The tags of the SSH recipients that an armored age file names in its header."""
    lines = armored.strip().splitlines()
    try:
        data = base64.b64decode("".join(lines[1:-1]), validate=True)
        header = data[: data.index(b"\n--- ")].split(b"\n")
    except (binascii.Error, ValueError):
        raise SealingError(
            "the delivery is no age file",
            remedy="Its comment may have been edited. Ask for the access anew, and tell security.",
        ) from None
    stanzas = (line.split(b" ") for line in header if line.startswith(b"-> ssh-"))
    return frozenset(base64.b64decode(words[2] + b"==") for words in stanzas if len(words) > 2)  # noqa: PLR2004  -- arrow, type, tag

"""Keys, stored keys and their rotation, with Haven.

It takes the place of ``src.security.key_management``: change that import, and what used it goes on. ::

    from haven_keys import KeyManager, KeyRotationScheduler, KeyType, KeyVault

The server and the credential come from the environment: ``HAVEN_DATA``, a server's data folder or its
ready file, or ``HAVEN_ENDPOINT``, ``HAVEN_CA`` and ``HAVEN_TOKEN``.

What it guarantees: the server is always authenticated (TLS 1.3, the CA of the environment); no value, token
or key material is in an exception or a representation; a call that changes something is repeated only in a
way that does it once. Only the standard library is used.
"""

from .connection import Connection, HavenError
from .keys import KeyManager, KeyMetadata, KeyStatus, KeyType
from .rotation import KeyRotationScheduler
from .vault import KeyVault

__all__ = [
    "Connection",
    "HavenError",
    "KeyManager",
    "KeyMetadata",
    "KeyRotationScheduler",
    "KeyStatus",
    "KeyType",
    "KeyVault",
]

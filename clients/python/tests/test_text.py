"""Runs the code of the text that Haven implements: verbatim, but for its import and for what it leaves
undefined, and looks at what became of it."""

import os
import re
import unittest

import haven_keys
from haven_keys import KeyManager, KeyStatus, KeyType, KeyVault

TEXT = os.environ.get("HAVEN_TEXT", "")


def blocks() -> "list[str]":
    with open(TEXT, encoding="utf-8") as file:
        found = re.findall(r"```python\n(.*?)```", file.read(), re.DOTALL)
    return [block.replace("from src.security.key_management import", "from haven_keys import") for block in found]


@unittest.skipUnless(os.path.exists(TEXT) or os.environ.get("HAVEN_CI") == "1", "HAVEN_TEXT names no file")
class Text(unittest.TestCase):
    def test_blocks(self) -> None:
        create, rotate, store = blocks()

        # Creating keys: a data encryption key with a rotation of 90 days.
        names = {}
        exec(create, names)  # noqa: S102 - that the text runs is what is tested
        made = names["metadata"]
        self.assertEqual((made.key_id, made.key_type, made.status, made.version), (names["key_id"], KeyType.DATA, KeyStatus.ACTIVE, 1))
        shown = names["km"].connection.call("describe-key", {"key": names["key_id"]})
        self.assertEqual((shown["purpose"], shown["rotation_days"]), ("Patient data encryption", 90))

        # Rotating: by hand, then scheduled. The text imports the scheduler nowhere.
        names.update(old_key_id=names["key_id"], KeyRotationScheduler=haven_keys.KeyRotationScheduler)
        exec(rotate, names)  # noqa: S102
        self.assertEqual(names["new_key_id"], names["key_id"] + "@2")
        versions = names["km"].connection.call("list-key-versions", {"key": names["key_id"]})["versions"]
        self.assertEqual([version["state"] for version in versions], ["active", "rotating"])
        self.assertEqual(names["km"].connection.call("describe-rotation-schedule", {})["expression"], "rate(1 day)")

        # Secure storage, under a master key.
        master, _ = KeyManager().create_key("Vault", KeyType.MASTER)
        names.update(generated_key="-----BEGIN PRIVATE KEY-----", master_key_id=master)
        exec(store, names)  # noqa: S102
        self.assertEqual(names["key_value"], "-----BEGIN PRIVATE KEY-----")
        self.assertEqual(names["metadata"], {"algorithm": "RSA-2048", "purpose": "API request signing", "created_by": "system"})
        self.assertRegex(names["arn"], r"^arn:aws:secretsmanager:.*:secret:api-signing-key-.{6}$")
        stored = KeyVault().connection.call("describe-stored-key", {"name": "api-signing-key"})
        self.assertEqual(stored["kms_key_id"], master)


if __name__ == "__main__":
    unittest.main()

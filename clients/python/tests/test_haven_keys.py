"""Tests against a server that the environment names."""

import os
import tempfile
import threading
import unittest
import uuid
from datetime import datetime, timedelta, timezone

from haven_keys import Connection, HavenError, KeyManager, KeyRotationScheduler, KeyStatus, KeyType, KeyVault


def name() -> str:
    return "test/" + str(uuid.uuid4())


class Keys(unittest.TestCase):
    def setUp(self) -> None:
        self.km = KeyManager()

    def test_create(self) -> None:
        for key_type in KeyType:
            key_id, metadata = self.km.create_key("Patient data encryption", key_type)
            self.assertEqual((metadata.key_id, metadata.key_type, metadata.version, metadata.status), (key_id, key_type, 1, KeyStatus.ACTIVE))
            self.assertIsNotNone(metadata.created_at.tzinfo)
            self.assertEqual(metadata.expires_at - metadata.created_at, timedelta(days=90))
            self.assertIsNone(metadata.rotated_at)
        _, metadata = self.km.create_key("kept", KeyType.DATA, rotation_days=0)
        self.assertIsNone(metadata.expires_at)

    def test_rotate(self) -> None:
        key_id, _ = self.km.create_key("rotated", KeyType.DATA)
        new_id, metadata = self.km.rotate_key(key_id)
        self.assertEqual(new_id, key_id + "@2")
        self.assertEqual((metadata.key_id, metadata.version, metadata.status), (key_id, 2, KeyStatus.ACTIVE))
        self.assertGreaterEqual(metadata.rotated_at, metadata.created_at)
        newer, _ = self.km.rotate_key(new_id)
        self.assertEqual(newer, key_id + "@3")
        with self.assertRaises(HavenError) as refused:
            self.km.rotate_key(new_id)  # no longer the primary
        self.assertEqual((refused.exception.code, refused.exception.status), ("conflict", 409))

    def test_active(self) -> None:
        purpose = name()
        made = self.km.get_active_key(KeyType.SIGNING, purpose)
        self.assertEqual(self.km.get_active_key(KeyType.SIGNING, purpose), made)
        newer, _ = self.km.create_key(purpose, KeyType.SIGNING)
        self.assertEqual(self.km.get_active_key(KeyType.SIGNING, purpose), newer)
        self.assertTrue(self.km.get_active_key(KeyType.TRANSPORT))
        self.km.track_key_usage(made)
        self.assertEqual(self.km.describe_key(made).usage_count, 0)

    def test_refused(self) -> None:
        with self.assertRaises(HavenError) as refused:
            self.km.rotate_key("alias/nobody")
        self.assertEqual((refused.exception.code, refused.exception.status), ("not_found", 404))
        self.assertTrue(refused.exception.request_id)
        with self.assertRaises(ValueError):
            self.km.create_key("x", "odd")
        self.km.create_key("by value", "data")  # as the old module took it

    def test_threads(self) -> None:
        made = []
        threads = [threading.Thread(target=lambda: made.append(self.km.create_key("thread", KeyType.DATA)[0])) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(set(made)), 16)


class Vault(unittest.TestCase):
    def setUp(self) -> None:
        self.vault = KeyVault()

    def test_values(self) -> None:
        for value in ("text", "żółć", b"\x00\xff", "x" * 65536, b"text"):
            stored = name()
            arn = self.vault.store_key(stored, value, {"algorithm": "RSA-2048", "bits": 2048}, "alias/haven-master")
            self.assertIn(stored, arn)
            self.assertEqual(self.vault.retrieve_key(stored), (value, {"algorithm": "RSA-2048", "bits": "2048"}))
            self.assertEqual(self.vault.retrieve_key(arn)[0], value)

    def test_versions(self) -> None:
        stored = name()
        first = self.vault.store_key(stored, "one", {"a": "b"})
        self.assertEqual(self.vault.store_key(stored, b"two"), first)
        self.assertEqual(self.vault.retrieve_key(stored), (b"two", {"a": "b"}))

    def test_master(self) -> None:
        km = KeyManager()
        master, _ = km.create_key("vault", KeyType.MASTER)
        rotated, _ = km.rotate_key(master)
        stored = name()
        self.vault.store_key(stored, "v", {}, rotated)
        self.assertEqual(self.vault.retrieve_key(stored), ("v", {}))

    def test_nothing_shown(self) -> None:
        with self.assertRaises(HavenError) as refused:
            self.vault.store_key(name(), "canary-31337" * 10_000)
        self.assertNotIn("canary", str(refused.exception) + repr(refused.exception.__dict__))
        with self.assertRaises(HavenError) as missing:
            self.vault.retrieve_key(name())
        self.assertEqual(missing.exception.code, "not_found")


class Rotation(unittest.TestCase):
    def test_schedule(self) -> None:
        scheduler = KeyRotationScheduler(KeyManager())
        self.assertEqual(scheduler.schedule_rotation_check("cron(0 3 * * ? *)")["expression"], "cron(0 3 * * ? *)")
        self.assertEqual(scheduler.schedule_rotation_check()["expression"], "rate(1 day)")
        with self.assertRaises(HavenError) as refused:
            scheduler.schedule_rotation_check("rate(1 week)")
        self.assertIn("Invalid Schedule Expression", refused.exception.detail)

    def test_due(self) -> None:
        km = KeyManager()
        scheduler = KeyRotationScheduler(km)
        due, _ = km.create_key("due", KeyType.DATA, rotation_days=90)
        later, _ = km.create_key("later", KeyType.DATA, rotation_days=3650)
        km.connection.call("schedule-rotation-check", {"expression": "rate(3650 days)"}, mutates=True)
        km.connection.call("check-rotation", {})
        km.connection.call("advance-clock", {"seconds": 84 * 86400})
        found = {key["key_id"]: key for key in scheduler.check_keys_for_rotation()}
        self.assertIn(due, found)
        self.assertNotIn(later, found)
        self.assertEqual(found[due]["key_type"], "data")
        self.assertIsInstance(found[due]["expires_at"], datetime)
        self.assertEqual(scheduler.execute_rotations([found[due], later]), {due: due + "@2"})
        self.assertEqual(scheduler.execute_rotations([due]), {})


class Finding(unittest.TestCase):
    def test_environment(self) -> None:
        with self.assertRaises(HavenError) as refused:
            Connection.from_environment({})
        self.assertIn("HAVEN_DATA", refused.exception.detail)
        with tempfile.TemporaryDirectory() as folder:
            with self.assertRaises(HavenError):
                Connection.from_environment({"HAVEN_DATA": folder})
            with open(os.path.join(folder, "ready.json"), "w", encoding="utf-8") as file:
                file.write('{"endpoint":"https://127.0.0.1:1","token":"canary-31337"}')
            connection = Connection.from_environment({"HAVEN_DATA": folder})
            self.assertNotIn("canary", repr(connection))
            connection._sleep = lambda _: None
            with self.assertRaises(HavenError) as unreachable:
                connection.call("list-keys", {})
            self.assertEqual(unreachable.exception.code, "unreachable")
            self.assertNotIn("canary", str(unreachable.exception))
        with self.assertRaises(HavenError):
            Connection("http://127.0.0.1:1", None, "t")

    def test_strangers(self) -> None:
        known = Connection.from_environment()
        stranger = Connection(f"https://{known._host}:{known._port}", None, "haven_x", lambda _: None)
        with self.assertRaises(HavenError) as refused:
            stranger.call("list-keys", {})  # whose CA is not the system's
        self.assertEqual(refused.exception.code, "unreachable")

    def test_utc(self) -> None:
        _, metadata = KeyManager().create_key("time", KeyType.DATA)
        self.assertEqual(metadata.created_at.utcoffset(), timedelta(0))
        self.assertEqual(metadata.created_at.tzinfo, timezone.utc)


if __name__ == "__main__":
    unittest.main()

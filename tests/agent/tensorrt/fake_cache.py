"""The made-up TensorRT's timing caches: those that tell their keys (10.13 and later), and those that do not."""


class FakeCache:
    """Its content is text: a version, and what was timed."""

    def __init__(self, version: str, keys: set[str]) -> None:
        self.version, self.keys = version, keys

    def combine(self, other: "FakeCache", ignore_mismatch: bool) -> bool:
        assert ignore_mismatch is False
        if other.version == self.version:
            self.keys |= other.keys
        return other.version == self.version

    def serialize(self) -> memoryview:
        return memoryview(f"{self.version}:{','.join(sorted(self.keys))}".encode())


class FakeCacheWithKeys(FakeCache):
    def queryKeys(self) -> list[str]:
        return sorted(self.keys)

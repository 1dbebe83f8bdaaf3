"""Which sink gets the first event depends on empty polls before it, so only the union is compared, and that
both sinks got events."""


def collect(run, files):
    k1, k2 = files.pop("k1.txt"), files.pop("k2.txt")
    files["union.txt"] = b"".join(sorted((k1 + k2).splitlines(keepends=True)))
    some = [f"{name} got {'some' if data else 'none'}\n" for name, data in (("k1", k1), ("k2", k2))]
    files["share.txt"] = "".join(some).encode()

"""The ways in which two agents, or a client and an agent, can be connected; each as the options of its two ends.

Flume 1.9 has TLS outside and compresses what is inside; 1.11 compresses the TLS records. Flumen's source sees it by the
first byte; its sink has to be told.
"""

from dataclasses import dataclass

from stores import PASSWORD


@dataclass(frozen=True)
class Transport:
    """One protocol with its options."""

    name: str
    protocol: str = "avro"
    encoding: str = ""  # Of thrift.
    deflate: bool = False
    store: str = ""  # The type of the stores; without one there is no TLS.
    trust_all: bool = False

    def source(self, stores):
        """Options of a source, without address."""
        options = {"type": self.protocol}
        if self.encoding:
            options["protocol"] = self.encoding
        if self.deflate:
            options["compression-type"] = "deflate"
        if self.store:
            options |= {"ssl": "true", "keystore": stores.key(self.store)}
            options |= {"keystore-password": PASSWORD, "keystore-type": self.store}
        return options

    def sink(self, stores, peer):
        """Options of a sink of Flumen or Flume that feeds `peer` (a version of Flume, or flumen)."""
        options = self.client(stores)
        options["type"] = self.protocol
        if self.deflate and self.store and peer == "1.11.0":
            options |= ZLIB_OUTSIDE
        return options

    def client(self, stores):
        """Properties of Flume's RPC clients, which are those of its sinks."""
        options = {}
        if self.encoding:
            options["protocol"] = self.encoding
        if self.deflate:
            options |= {"compression-type": "deflate", "compression-level": "6"}
        if self.store:
            options["ssl"] = "true"
            if self.trust_all:
                options["trust-all-certs"] = "true"
            else:
                options |= {"truststore": stores.trust(self.store), "truststore-password": PASSWORD}
                options["truststore-type"] = self.store
        return options


# Flumen's own option; Flume ignores it.
ZLIB_OUTSIDE = {"compressionOutside": "true"}

TRANSPORTS = [
    Transport("plain"),
    Transport("deflate", deflate=True),
    Transport("tls", store="JKS"),
    Transport("tls_trust_all", store="PKCS12", trust_all=True),
    Transport("tls_deflate", store="PKCS12", deflate=True),
    Transport("compact", protocol="thrift", encoding="compact"),
    Transport("binary", protocol="thrift", encoding="binary"),
    Transport("thrift_tls", protocol="thrift", encoding="compact", store="JKS"),
]

"""Key and trust stores, made by the JDK's own keytool: what operators of Flume have."""

import subprocess

PASSWORD = "change-it"
EXTENSION = {"JKS": "jks", "PKCS12": "p12"}


class Stores:
    """A key pair for localhost and 127.0.0.1, and the certificate alone, in a store of each type."""

    def __init__(self, folder):
        self.folder = folder
        for kind in EXTENSION:
            self._make(kind)

    def key(self, kind):
        return self.folder / f"key.{EXTENSION[kind]}"

    def trust(self, kind):
        return self.folder / f"trust.{EXTENSION[kind]}"

    def _make(self, kind):
        store = ["-storetype", kind, "-storepass", PASSWORD, "-alias", "agent"]
        subject = ["-dname", "CN=localhost", "-ext", "SAN=dns:localhost,ip:127.0.0.1"]
        key = ["-keyalg", "RSA", "-keysize", "2048", "-validity", "30", "-keypass", PASSWORD]
        certificate = self.folder / f"{kind}.pem"
        keytool("-genkeypair", "-keystore", self.key(kind), *store, *key, *subject)
        keytool("-exportcert", "-rfc", "-keystore", self.key(kind), *store, "-file", certificate)
        keytool("-importcert", "-noprompt", "-keystore", self.trust(kind), *store, "-file", certificate)


def keytool(*arguments):
    done = subprocess.run(["keytool", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"keytool {arguments[0]}: {done.stdout}{done.stderr}")

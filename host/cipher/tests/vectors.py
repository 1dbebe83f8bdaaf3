"""Makes vectors.tsv with an independent implementation: `pip install cryptography`, python3 vectors.py."""
from hashlib import sha256

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SEGMENT, RECORD = b"segment-0123456!", (7).to_bytes(4, "big")
PLAIN = b"a record of some bytes, longer than a block"
# What is long goes another way through a cipher: many blocks at a time.
LONG = bytes((n * 7 + n // 251) % 256 for n in range(100_007))


def seal(name, derived, plain):
    if name == "AESCTRNOPADDING":
        encryptor = Cipher(algorithms.AES(derived), modes.CTR(RECORD + bytes(12))).encryptor()
        return encryptor.update(plain) + encryptor.finalize()
    associated = name.encode() + b"\0new\0" + SEGMENT + RECORD
    return AESGCM(derived).encrypt(RECORD + bytes(8), plain, associated)



print("# mode\tbytes of the key\tsealed record\tSHA-256 of a long one, sealed; made by vectors.py")
for name in ["AESCTRNOPADDING", "AESGCMNOPADDING"]:
    for size in [16, 24, 32]:
        key = bytes(range(1, size + 1))
        info = name.encode() + b"\0" + b"new"
        derived = HKDF(hashes.SHA256(), size, SEGMENT, info).derive(key)
        short, long = seal(name, derived, PLAIN), seal(name, derived, LONG)
        print(name, size, short.hex(), sha256(long).hexdigest(), sep="\t")

"""Makes vectors.tsv with an independent implementation: `pip install cryptography`, python3 vectors.py."""
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SEGMENT, RECORD = b"segment-0123456!", (7).to_bytes(4, "big")
PLAIN = b"a record of some bytes, longer than a block"

print("# mode\tbytes of the key\tsealed record; made by vectors.py")
for name in ["AESCTRNOPADDING", "AESGCMNOPADDING"]:
    for size in [16, 24, 32]:
        key = bytes(range(1, size + 1))
        info = name.encode() + b"\0" + b"new"
        derived = HKDF(hashes.SHA256(), size, SEGMENT, info).derive(key)
        if name == "AESCTRNOPADDING":
            encryptor = Cipher(algorithms.AES(derived), modes.CTR(RECORD + bytes(12))).encryptor()
            sealed = encryptor.update(PLAIN) + encryptor.finalize()
        else:
            associated = name.encode() + b"\0new\0" + SEGMENT + RECORD
            sealed = AESGCM(derived).encrypt(RECORD + bytes(8), PLAIN, associated)
        print(name, size, sealed.hex(), sep="\t")

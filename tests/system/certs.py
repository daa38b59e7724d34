"""Certificates and keys for tests, made by the openssl program."""

import subprocess
from pathlib import Path


def openssl(*words):
    subprocess.run(["openssl", *map(str, words)], check=True, stdin=subprocess.DEVNULL, capture_output=True)


class Authority:
    """A root of our own in a directory, and what it signs."""

    def __init__(self, directory):
        self.dir = Path(directory)
        self.dir.mkdir(exist_ok=True)
        self.key, self.cert = self.dir / "ca.key", self.dir / "ca.pem"
        new_key(self.key)
        openssl("req", "-x509", "-new", "-key", self.key, "-out", self.cert, "-days", 30, "-subj", "/CN=Test root",
                "-addext", "basicConstraints=critical,CA:TRUE")

    def issue(self, name, subject=None, alt=None, kind="EC", days=30):
        """A Bundle signed by this root."""
        key, request, cert = (self.dir / f"{name}.{ext}" for ext in ("key", "csr", "crt"))
        extensions = self.dir / f"{name}.ext"
        new_key(key, kind)
        openssl("req", "-new", "-key", key, "-out", request, "-subj", subject or f"/CN={name}", "-utf8")
        extensions.write_text(f"subjectAltName={alt}\n" if alt else "basicConstraints=CA:FALSE\n")
        openssl("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial",
                "-out", cert, "-days", days, "-extfile", extensions)
        return Bundle(cert, key, self.cert)


class Bundle:
    def __init__(self, cert_path, key_path, ca_path):
        self.cert_path, self.key_path = cert_path, key_path
        self.cert, self.key, self.ca = (p.read_text() for p in (cert_path, key_path, ca_path))
        self.pem = self.cert + self.ca + self.key


def new_key(path, kind="EC"):
    if kind == "EC":
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path)
    elif kind == "RSA":
        openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", path)
    else:
        openssl("genpkey", "-algorithm", kind, "-out", path)

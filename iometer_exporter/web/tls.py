"""TLS of the server: an SSLContext from the configuration, made anew when its files change.

Where Python's ssl module cannot do what Go does, the stricter way is taken. It verifies every certificate
that a client sends, so `RequireAnyClientCert` verifies too, and `RequestClientCert` verifies what is sent
if there is a client CA and asks for nothing otherwise. It takes one curve or its own list of curves.
"""

import ipaddress
import logging
import os
import ssl
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from iometer_exporter.config.section import Problems
from iometer_exporter.config.web_tls import CIPHERS, Pem, TlsConfig
from iometer_exporter.errors import ConfigError

_log = logging.getLogger(__name__)

_VERSIONS: Final = {
    "TLS10": ssl.TLSVersion.TLSv1,
    "TLS11": ssl.TLSVersion.TLSv1_1,
    "TLS12": ssl.TLSVersion.TLSv1_2,
    "TLS13": ssl.TLSVersion.TLSv1_3,
}
_OLD: Final = ("TLS10", "TLS11")
_CURVES: Final = {
    "CurveP256": "prime256v1",
    "CurveP384": "secp384r1",
    "CurveP521": "secp521r1",
    "X25519": "X25519",
}


class Tls:
    """The context of the server; `current` follows the files, and keeps the last good ones."""

    def __init__(self, config: TlsConfig) -> None:
        self.replace(config)

    def replace(self, config: TlsConfig) -> None:
        """Take another configuration; raises ConfigError, and keeps the last, if it cannot be used."""
        seen = _fingerprints(config)
        self._context = build_context(config)
        self._seen = seen
        self.config = config

    def current(self) -> ssl.SSLContext:
        """The context for a new connection; files that turn bad are one line in the log."""
        seen = _fingerprints(self.config)
        if seen != self._seen:
            self._seen = seen
            try:
                self._context = build_context(self.config)
                _log.info("TLS files changed, new connections use the new ones")
            except ConfigError as error:
                _log.error("TLS files cannot be used, those loaded before stay", extra={"error": error})
        return self._context


def fingerprint(path: Path) -> object:
    """A value that differs once the file is another; None while it cannot be seen."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _fingerprints(config: TlsConfig) -> object:
    pems = (config.cert, config.key, config.client_ca)
    return [fingerprint(pem.path) for pem in pems if pem and pem.path]


def build_context(config: TlsConfig) -> ssl.SSLContext:
    """A server's context; raises ConfigError with the path of each key for what cannot be used."""
    problems = Problems()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    for set_up in (_set_versions, _set_ciphers, _set_curves, _load_certificate, _verify_clients):
        with problems.noted():
            set_up(context, config)
    problems.check()
    return context


def alternative_names(certificate: Mapping[str, Any] | None) -> frozenset[str]:
    """The DNS, e-mail, IP and URI names in a certificate as `getpeercert` gives it, spelled as Go does."""
    entries = (certificate or {}).get("subjectAltName", ())
    kinds = ("DNS", "email", "IP Address", "URI")
    return frozenset(_ip(name) if kind == "IP Address" else name for kind, name in entries if kind in kinds)


def _ip(text: str) -> str:
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return text
    return str(getattr(address, "ipv4_mapped", None) or address)


def _set_versions(context: ssl.SSLContext, config: TlsConfig) -> None:
    only_tls13 = config.cipher_suites and not set(config.cipher_suites) & set(CIPHERS)
    with warnings.catch_warnings():
        # TLS 1.0 and 1.1 are deprecated, which whoever writes them into the file knows.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = _VERSIONS["TLS13" if only_tls13 else config.min_version]
        context.maximum_version = _VERSIONS[config.max_version]


def _set_ciphers(context: ssl.SSLContext, config: TlsConfig) -> None:
    if config.prefer_server_cipher_suites:
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    else:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    names = [CIPHERS[name] for name in config.cipher_suites if name in CIPHERS]
    old = config.min_version in _OLD
    if not names and not old:
        return
    # OpenSSL has the MD5 and SHA-1 of TLS 1.0 and 1.1 on its lowest level of security only.
    level = ["@SECLEVEL=0"] if old else []
    try:
        context.set_ciphers(":".join([*(names or CIPHERS.values()), *level]))
    except ssl.SSLError as error:
        raise ConfigError("tls_server_config.cipher_suites: OpenSSL has none of them here") from error


def _set_curves(context: ssl.SSLContext, config: TlsConfig) -> None:
    if len(config.curve_preferences) != 1:
        return
    [curve] = config.curve_preferences
    try:
        context.set_ecdh_curve(_CURVES[curve])
    except (ValueError, ssl.SSLError) as error:
        raise ConfigError(f"tls_server_config.curve_preferences: OpenSSL has no {curve} here") from error


def _load_certificate(context: ssl.SSLContext, config: TlsConfig) -> None:
    cert, key = config.cert, config.key
    problems = Problems()
    with problems.noted():
        _add_certificates(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), cert)
    with problems.noted():
        _read(key)
    problems.check()
    try:
        with ExitStack() as stack:
            cert_path = cert.path or stack.enter_context(_as_file(_read(cert)))
            key_path = key.path or stack.enter_context(_as_file(_read(key)))
            context.load_cert_chain(cert_path, key_path, lambda: _no_password(key))
    except ssl.SSLError as error:
        if error.reason and "TOO_" in error.reason:
            weakness = error.reason.lower().replace("_", " ")
            raise ConfigError(f"{cert.key}: is not taken by OpenSSL ({weakness})") from error
        raise ConfigError(f"{key.key}: holds no private key in PEM form that fits {cert.key}") from error
    except OSError as error:
        raise ConfigError(f"{key.key}: cannot be loaded: {error.strerror}") from error


def _verify_clients(context: ssl.SSLContext, config: TlsConfig) -> None:
    kind = config.client_auth_type
    if kind == "NoClientCert" or (kind == "RequestClientCert" and not config.client_ca):
        return
    optional = kind in ("RequestClientCert", "VerifyClientCertIfGiven")
    context.verify_mode = ssl.CERT_OPTIONAL if optional else ssl.CERT_REQUIRED
    if config.client_ca:
        # As in Go, what stands in the file is trusted, root or not.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        _add_certificates(context, config.client_ca)
    else:
        context.load_default_certs(ssl.Purpose.CLIENT_AUTH)


def _add_certificates(context: ssl.SSLContext, pem: Pem) -> None:
    try:
        context.load_verify_locations(cadata=_read(pem))
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(f"{pem.key}: holds no certificate in PEM form") from error


def _read(pem: Pem) -> str:
    try:
        content = pem.path.read_bytes() if pem.path else pem.text.encode("ascii", "ignore")
    except OSError as error:
        raise ConfigError(f"{pem.key}: cannot read {pem.path}: {error.strerror}") from error
    # Comments between the blocks may hold anything; ssl takes ASCII only.
    return content.decode("ascii", "ignore")


def _no_password(key: Pem) -> str:
    raise ConfigError(f"{key.key}: the key is encrypted, give one without a password")


@contextmanager
def _as_file(text: str) -> Iterator[str]:
    """A path at which ssl can read the text, which takes certificates and keys from files only."""
    with ExitStack() as stack:
        if hasattr(os, "memfd_create") and Path("/proc/self/fd").exists():
            # In memory: the root of a container may be read-only.
            file = stack.enter_context(os.fdopen(os.memfd_create("pem"), "w"))
            path = f"/proc/self/fd/{file.fileno()}"
        else:
            path = str(Path(stack.enter_context(tempfile.TemporaryDirectory()), "pem"))
            file = stack.enter_context(open(path, "w"))
        file.write(text)
        file.flush()
        yield path

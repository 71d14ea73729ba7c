"""The section `tls_server_config` of the web configuration: its keys, and which of them go together."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from iometer_exporter.config.section import (
    Section,
    as_boolean,
    as_secret,
    as_text,
    as_texts,
    one_of,
    suggestion,
)
from iometer_exporter.errors import ConfigError

CLIENT_AUTH_TYPES: Final = (
    "NoClientCert",
    "RequestClientCert",
    "RequireAnyClientCert",
    "RequireClientCert",
    "VerifyClientCertIfGiven",
    "RequireAndVerifyClientCert",
)
_REQUIRED: Final = ("RequireAnyClientCert", "RequireClientCert", "RequireAndVerifyClientCert")
VERSIONS: Final = ("TLS10", "TLS11", "TLS12", "TLS13")
CURVES: Final = ("CurveP256", "CurveP384", "CurveP521", "X25519")
CIPHERS_TLS13: Final = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
CIPHERS: Final = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
}
"""Go's secure suites up to TLS 1.2 and OpenSSL's names of them; neither lets one choose those of TLS 1.3."""


@dataclass(frozen=True, slots=True)
class Pem:
    """Certificates or a key: in a file of their own or, without a path, as text; `key` is where it is set."""

    key: str
    path: Path | None = None
    text: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class TlsConfig:
    """`tls_server_config` with TLS on; names of versions, suites and curves are Go's."""

    cert: Pem
    key: Pem
    client_auth_type: str = "NoClientCert"
    client_ca: Pem | None = None
    client_allowed_sans: tuple[str, ...] | None = None
    min_version: str = "TLS12"
    max_version: str = "TLS13"
    cipher_suites: tuple[str, ...] = ()
    prefer_server_cipher_suites: bool = True
    curve_preferences: tuple[str, ...] = ()

    @property
    def needs_certificate(self) -> bool:
        """Whether no client gets in without a certificate."""
        return self.client_auth_type in _REQUIRED


def parse_tls(section: Section, directory: Path) -> tuple[TlsConfig | None, list[str]]:
    """TLS as asked for, or None, and what of it has no effect; what is wrong is noted in the section."""
    ignored: list[str] = []
    cert = _pem(section, "cert", directory, ignored)
    key = _pem(section, "key", directory, ignored)
    client_ca = _pem(section, "client_ca", directory, ignored)
    client_auth_type = section.take("client_auth_type", _unless_empty(one_of(*CLIENT_AUTH_TYPES)), "")
    tls = TlsConfig(
        cert=cert or Pem("cert"),
        key=key or Pem("key"),
        client_auth_type=client_auth_type or "NoClientCert",
        client_ca=client_ca,
        client_allowed_sans=section.take("client_allowed_sans", as_texts, None),
        min_version=section.take("min_version", one_of(*VERSIONS), "TLS12"),
        max_version=section.take("max_version", one_of(*VERSIONS), "TLS13"),
        cipher_suites=section.take("cipher_suites", _each(_cipher), ()),
        prefer_server_cipher_suites=section.take("prefer_server_cipher_suites", as_boolean, True),
        curve_preferences=section.take("curve_preferences", _each(one_of(*CURVES)), ()),
    )
    section.done()
    if not section.good:
        return None, ignored
    with section.checking():
        _check_client_auth(section, tls)
    if not (cert or key or client_ca or client_auth_type):
        if not section.empty:
            ignored.append(f"{section.path}: TLS is off, it needs cert_file and key_file")
        return None, ignored
    missing = [f"no {name}_file" for name, pem in (("cert", cert), ("key", key)) if pem is None]
    if missing:
        section.problems.add(
            f"{section.path}: has {' and '.join(missing)}, TLS needs a certificate and its key"
        )
    with section.checking():
        _check_versions(section, tls)
    return tls, ignored + _inexact(section, tls)


def _pem(section: Section, name: str, directory: Path, ignored: list[str]) -> Pem | None:
    content = section.take(name, as_secret, "")
    path = section.take(f"{name}_file", as_text, "")
    if not path:
        return Pem(section.at(name), text=content) if content else None
    if not path.isprintable():
        raise ConfigError(f"{section.at(f'{name}_file')}: {path!r} is not a path")
    if content:
        ignored.append(f"{section.at(name)}: {name}_file is set too and comes first")
    return Pem(section.at(f"{name}_file"), directory / path)


def _check_client_auth(section: Section, tls: TlsConfig) -> None:
    at = section.at("client_auth_type")
    if tls.client_ca and tls.client_auth_type == "NoClientCert":
        raise ConfigError(
            f"{at}: is NoClientCert, so that {tls.client_ca.key} has no effect, "
            "expected RequireAndVerifyClientCert"
        )
    if tls.client_allowed_sans is not None:
        if tls.client_auth_type not in _REQUIRED:
            raise ConfigError(
                f"{section.at('client_allowed_sans')}: needs a certificate of every client, "
                "add client_auth_type: RequireAndVerifyClientCert"
            )
        if not tls.client_allowed_sans:
            raise ConfigError(
                f"{section.at('client_allowed_sans')}: is empty, so that no client could connect, "
                "add a name or leave the key out"
            )
    if tls.client_auth_type in _REQUIRED[:2] and not tls.client_ca:
        raise ConfigError(
            f"{at}: is {tls.client_auth_type}, which needs a client_ca_file here: "
            "every certificate is verified"
        )


def _check_versions(section: Section, tls: TlsConfig) -> None:
    if VERSIONS.index(tls.min_version) > VERSIONS.index(tls.max_version):
        raise ConfigError(
            f"{section.at('min_version')}: is {tls.min_version}, which is above max_version {tls.max_version}"
        )
    if tls.cipher_suites and tls.max_version != "TLS13" and not set(tls.cipher_suites) & set(CIPHERS):
        raise ConfigError(
            f"{section.at('cipher_suites')}: has suites of TLS 1.3 only, but max_version is {tls.max_version}"
        )


def _inexact(section: Section, tls: TlsConfig) -> list[str]:
    """What Python's ssl module does in another way than Go."""
    notes: list[str] = []
    at = section.at("client_auth_type")
    if tls.client_auth_type == "RequestClientCert":
        effect = "verified if given" if tls.client_ca else "not asked for"
        notes.append(f"{at}: RequestClientCert cannot be done here, certificates of clients are {effect}")
    elif tls.client_auth_type in ("RequireAnyClientCert", "RequireClientCert"):
        notes.append(f"{at}: {tls.client_auth_type} is done as RequireAndVerifyClientCert here")
    if set(tls.cipher_suites) & set(CIPHERS_TLS13):
        notes.append(f"{section.at('cipher_suites')}: the suites of TLS 1.3 are always on")
    if len(tls.curve_preferences) > 1:
        at = section.at("curve_preferences")
        notes.append(f"{at}: ssl takes one curve or its own list, which is used for more than one")
    return notes


def _cipher(value: object) -> str:
    name = as_text(value)
    names = (*CIPHERS, *CIPHERS_TLS13)
    if name not in names:
        raise ConfigError(f"{name!r} is not a secure cipher suite, {suggestion(name, names)}")
    return name


def _each(convert: Callable[[object], str]) -> Callable[[object], tuple[str, ...]]:
    return lambda value: tuple(convert(item) for item in as_texts(value))


def _unless_empty(convert: Callable[[object], str]) -> Callable[[object], str]:
    return lambda value: "" if value == "" else convert(value)

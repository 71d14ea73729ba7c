import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from iometer_exporter.config.web_file import (
    HEADERS,
    RateLimit,
    WebConfig,
    load_web_config,
    parse_web_config,
)
from iometer_exporter.config.web_tls import CIPHERS, CLIENT_AUTH_TYPES, CURVES, Pem, TlsConfig
from iometer_exporter.errors import ConfigError

HERE = Path("/etc/exporter")
PAGE = Path(__file__).parents[2] / "docs" / "web-config.md"
HASH = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG"

FULL = f"""
tls_server_config:
  cert_file: server.pem
  key_file: /keys/server.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca/clients.pem
  client_allowed_sans: [prometheus.example.org, 10.0.0.9]
  min_version: TLS11
  max_version: TLS12
  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384]
  prefer_server_cipher_suites: false
  curve_preferences: [X25519]
http_server_config:
  http2: false
  headers:
    Content-Security-Policy: default-src 'self'
    X-Frame-Options: deny
    X-Content-Type-Options: nosniff
    X-XSS-Protection: 0
    Strict-Transport-Security: max-age=31536000
basic_auth_users:
  prometheus: {HASH}
rate_limit:
  interval: 1m30s
  burst: 20
"""

TLS = TlsConfig(Pem("tls_server_config.cert_file", HERE / "c"), Pem("tls_server_config.key_file", HERE / "k"))
CA = Pem("tls_server_config.client_ca_file", HERE / "a")


def tls(rest: str = "", *, pair: str = "cert_file: c, key_file: k") -> str:
    return f"tls_server_config: {{{pair}{rest and ', '}{rest}}}"


def parse(text: str) -> WebConfig:
    return parse_web_config(text, HERE)


def test_a_full_file() -> None:
    assert parse(FULL) == WebConfig(
        tls=TlsConfig(
            cert=Pem("tls_server_config.cert_file", HERE / "server.pem"),
            key=Pem("tls_server_config.key_file", Path("/keys/server.key")),
            client_auth_type="RequireAndVerifyClientCert",
            client_ca=Pem("tls_server_config.client_ca_file", HERE / "ca/clients.pem"),
            client_allowed_sans=("prometheus.example.org", "10.0.0.9"),
            min_version="TLS11",
            max_version="TLS12",
            cipher_suites=("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",),
            prefer_server_cipher_suites=False,
            curve_preferences=("X25519",),
        ),
        headers={
            "Content-Security-Policy": "default-src 'self'",
            "X-Frame-Options": "deny",
            "X-Content-Type-Options": "nosniff",
            "X-XSS-Protection": "0",
            "Strict-Transport-Security": "max-age=31536000",
        },
        users={"prometheus": HASH},
        rate_limit=RateLimit(90.0, 20),
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n",
        "null",
        "{}",
        "tls_server_config:\nhttp_server_config:\nbasic_auth_users:\nrate_limit:\n",
        "http_server_config: {headers: {X-Frame-Options: '', Content-Security-Policy: }}",
        "rate_limit: {interval: 0, burst: 5}",
        "rate_limit: {interval: 0s}",
        "rate_limit: {interval: '0'}",
    ],
)
def test_nothing_set_is_plain_http_for_everyone(text: str) -> None:
    assert parse(text) == WebConfig()


def test_the_defaults_of_tls() -> None:
    assert parse(tls()) == WebConfig(tls=TLS)
    assert (TLS.min_version, TLS.max_version) == ("TLS12", "TLS13")
    assert TLS.prefer_server_cipher_suites
    assert TLS.client_auth_type == "NoClientCert"


def test_the_example_of_the_documentation_is_taken_and_every_key_explained() -> None:
    page = PAGE.read_text()
    examples = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert examples
    for example in examples:
        assert parse(example) != WebConfig()
    for key in re.findall(r"^ *([A-Za-z0-9_-]+):", FULL, re.MULTILINE):
        assert key == "prometheus" or f"`{key}`" in page, key
    for name in (*HEADERS, *CLIENT_AUTH_TYPES, *CURVES, *CIPHERS):
        assert f"`{name}`" in page, name


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("{interval: 1s, burst: 1}", RateLimit(1.0, 1)),
        ("{interval: 100ms, burst: 5}", RateLimit(0.1, 5)),
        ("{interval: 1.5m, burst: 5}", RateLimit(90.0, 5)),
        ("{interval: 250us, burst: 5}", RateLimit(0.00025, 5)),
        ("{interval: 250μs, burst: 5}", RateLimit(0.00025, 5)),
        ("{interval: 1h1m, burst: 5}", RateLimit(3660.0, 5)),
    ],
)
def test_intervals_are_written_as_in_go(text: str, limit: RateLimit) -> None:
    found = parse(f"rate_limit: {text}").rate_limit
    assert found is not None
    assert found.interval == pytest.approx(limit.interval)
    assert found.burst == limit.burst


@pytest.mark.parametrize("kind", ["2a", "2b", "2x", "2y"])
def test_all_usual_kinds_of_bcrypt_are_taken(kind: str) -> None:
    hashed = HASH.replace("2y", kind)
    assert parse(f"basic_auth_users: {{a: {hashed}}}").users == {"a": hashed}


IGNORED = {
    "http_server_config: {http2: true}": "http_server_config.http2: this server speaks HTTP/1.1 only",
    "tls_server_config: {min_version: TLS13}": (
        "tls_server_config: TLS is off, it needs cert_file and key_file"
    ),
    tls("cert: x"): "tls_server_config.cert: cert_file is set too and comes first",
    tls("client_auth_type: RequestClientCert"): (
        "tls_server_config.client_auth_type: RequestClientCert cannot be done here, "
        "certificates of clients are not asked for"
    ),
    tls("client_auth_type: RequestClientCert, client_ca_file: a"): (
        "tls_server_config.client_auth_type: RequestClientCert cannot be done here, "
        "certificates of clients are verified if given"
    ),
    tls("client_auth_type: RequireAnyClientCert, client_ca_file: a"): (
        "tls_server_config.client_auth_type: RequireAnyClientCert is done as RequireAndVerifyClientCert here"
    ),
    tls("client_auth_type: RequireClientCert, client_ca_file: a"): (
        "tls_server_config.client_auth_type: RequireClientCert is done as RequireAndVerifyClientCert here"
    ),
    tls("cipher_suites: [TLS_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]"): (
        "tls_server_config.cipher_suites: the suites of TLS 1.3 are always on"
    ),
    tls("curve_preferences: [X25519, CurveP256]"): (
        "tls_server_config.curve_preferences: ssl takes one curve or its own list, "
        "which is used for more than one"
    ),
}


@pytest.mark.parametrize(("text", "note"), IGNORED.items())
def test_what_has_no_effect_as_written_is_listed(text: str, note: str) -> None:
    assert parse(text).ignored == (note,)


SAN_RULE = (
    "tls_server_config.client_allowed_sans: needs a certificate of every client, "
    "add client_auth_type: RequireAndVerifyClientCert"
)
NO_TEXT = "is the value 5, expected a text (put it in quotes)"
NO_PAIR = "tls_server_config: has no cert_file and no key_file, TLS needs a certificate and its key"
NO_CERT = "tls_server_config: has no cert_file, TLS needs a certificate and its key"
NO_KEY = "tls_server_config: has no key_file, TLS needs a certificate and its key"
AUTH_TYPES = (
    "expected one of NoClientCert, RequestClientCert, RequireAnyClientCert, RequireClientCert, "
    "VerifyClientCertIfGiven, RequireAndVerifyClientCert"
)
VERSIONS = "expected one of TLS10, TLS11, TLS12, TLS13"

BAD = {
    "tls_config: {}": "tls_config: unknown key, did you mean 'tls_server_config'?",
    "basic_auth_user: {}": "basic_auth_user: unknown key, did you mean 'basic_auth_users'?",
    tls("cert_fil: c"): "tls_server_config.cert_fil: unknown key, did you mean 'cert_file'?",
    "http_server_config: {http: true}": "http_server_config.http: unknown key, did you mean 'http2'?",
    "http_server_config: {headers: {x-frame-options: deny}}": (
        "http_server_config.headers.x-frame-options: unknown key, did you mean 'X-Frame-Options'?"
    ),
    "http_server_config: {headers: {Server: me}}": (
        "http_server_config.headers.Server: unknown key, there are Content-Security-Policy, X-Frame-Options, "
        "X-Content-Type-Options, X-XSS-Protection, Strict-Transport-Security"
    ),
    "rate_limit: {bursts: 1}": "rate_limit.bursts: unknown key, did you mean 'burst'?",
    "geheim": "the file holds a text, expected keys and values",
    "4711": "the file holds a single value, expected keys and values",
    "[geheim]": "the file holds a list, expected keys and values",
    "tls_server_config: geheim": "tls_server_config: is a text, expected keys and values",
    "http_server_config: [geheim]": "http_server_config: is a list, expected keys and values",
    "tls_server_config: {cert_file: c}": NO_KEY,
    "tls_server_config: {cert: c}": NO_KEY,
    "tls_server_config: {key_file: k}": NO_CERT,
    "tls_server_config: {key: k}": NO_CERT,
    "tls_server_config: {client_auth_type: NoClientCert}": NO_PAIR,
    "tls_server_config: {client_auth_type: VerifyClientCertIfGiven}": NO_PAIR,
    "tls_server_config: {client_ca: x, client_auth_type: VerifyClientCertIfGiven}": NO_PAIR,
    "timeout: 10s": (
        "timeout: unknown key, there are tls_server_config, http_server_config, basic_auth_users, rate_limit"
    ),
    tls("cert_file: 5", pair="key_file: k"): f"tls_server_config.cert_file: {NO_TEXT}",
    tls('cert_file: "a\\0"', pair="key_file: k"): "tls_server_config.cert_file: 'a\\x00' is not a path",
    tls("key: 4711", pair="cert_file: c"): (
        "tls_server_config.key: is a single value, expected a text (put it in quotes)"
    ),
    tls("key: [geheim]", pair="cert_file: c"): (
        "tls_server_config.key: is a list, expected a text (put it in quotes)"
    ),
    tls("client_auth_type: Always"): (
        f"tls_server_config.client_auth_type: is the text 'Always', {AUTH_TYPES}"
    ),
    tls("client_ca_file: a"): (
        "tls_server_config.client_auth_type: is NoClientCert, so that tls_server_config.client_ca_file "
        "has no effect, expected RequireAndVerifyClientCert"
    ),
    tls("client_ca: a, client_auth_type: NoClientCert"): (
        "tls_server_config.client_auth_type: is NoClientCert, so that tls_server_config.client_ca "
        "has no effect, expected RequireAndVerifyClientCert"
    ),
    tls("client_auth_type: RequireAnyClientCert"): (
        "tls_server_config.client_auth_type: is RequireAnyClientCert, which needs a client_ca_file here: "
        "every certificate is verified"
    ),
    tls("client_allowed_sans: [a]"): SAN_RULE,
    tls("client_allowed_sans: [a], client_auth_type: RequestClientCert"): SAN_RULE,
    tls("client_allowed_sans: [a], client_auth_type: VerifyClientCertIfGiven"): SAN_RULE,
    "tls_server_config: {client_allowed_sans: [a]}": SAN_RULE,
    tls("client_allowed_sans: [], client_auth_type: RequireAndVerifyClientCert"): (
        "tls_server_config.client_allowed_sans: is empty, so that no client could connect, "
        "add a name or leave the key out"
    ),
    tls("client_allowed_sans: a"): (
        "tls_server_config.client_allowed_sans: is the text 'a', expected a list, write it in brackets: [a]"
    ),
    tls("client_allowed_sans: [5]"): f"tls_server_config.client_allowed_sans: {NO_TEXT}",
    tls("min_version: TLS14"): f"tls_server_config.min_version: is the text 'TLS14', {VERSIONS}",
    tls("max_version: '1.2'"): f"tls_server_config.max_version: is the text '1.2', {VERSIONS}",
    tls("min_version: TLS13, max_version: TLS12"): (
        "tls_server_config.min_version: is TLS13, which is above max_version TLS12"
    ),
    tls("cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]"): (
        "tls_server_config.cipher_suites: 'TLS_RSA_WITH_RC4_128_SHA' is not a secure cipher suite, "
        "did you mean 'TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA'?"
    ),
    tls("cipher_suites: [ECDHE-RSA-AES128-GCM-SHA256]"): (
        "tls_server_config.cipher_suites: 'ECDHE-RSA-AES128-GCM-SHA256' is not a secure cipher suite, "
        "did you mean 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256'?"
    ),
    tls("cipher_suites: [TLS_AES_128_GCM_SHA256], max_version: TLS12"): (
        "tls_server_config.cipher_suites: has suites of TLS 1.3 only, but max_version is TLS12"
    ),
    tls("prefer_server_cipher_suites: 1"): (
        "tls_server_config.prefer_server_cipher_suites: is the value 1, expected true or false"
    ),
    tls("curve_preferences: [P256]"): (
        "tls_server_config.curve_preferences: is the text 'P256', "
        "expected one of CurveP256, CurveP384, CurveP521, X25519"
    ),
    "http_server_config: {http2: 1}": ("http_server_config.http2: is the value 1, expected true or false"),
    "http_server_config: {headers: {X-Frame-Options: DENY}}": (
        "http_server_config.headers.X-Frame-Options: is the text 'DENY', expected one of deny, sameorigin"
    ),
    "http_server_config: {headers: {X-Content-Type-Options: sniff}}": (
        "http_server_config.headers.X-Content-Type-Options: is the text 'sniff', expected one of nosniff"
    ),
    'http_server_config: {headers: {Content-Security-Policy: "a\\nb"}}': (
        "http_server_config.headers.Content-Security-Policy: is the text 'a\\nb', "
        "expected printable ASCII characters on one line"
    ),
    "http_server_config: {headers: {X-XSS-Protection: true}}": (
        "http_server_config.headers.X-XSS-Protection: is the value true, expected a text (put it in quotes)"
    ),
    "basic_auth_users: geheim": "basic_auth_users: is a text, expected user names and bcrypt hashes",
    "basic_auth_users: [geheim]": "basic_auth_users: is a list, expected user names and bcrypt hashes",
    "basic_auth_users: {admin: geheim}": (
        "basic_auth_users: admin: is not a bcrypt hash, make one with iometer-exporter hash-password"
    ),
    "basic_auth_users: {admin: 4711}": (
        "basic_auth_users: admin: is not a bcrypt hash, make one with iometer-exporter hash-password"
    ),
    f"basic_auth_users: {{admin: {HASH[:-1]}}}": (
        "basic_auth_users: admin: is not a bcrypt hash, make one with iometer-exporter hash-password"
    ),
    f"basic_auth_users: {{admin: {HASH.replace('$10$', '$03$')}}}": (
        "basic_auth_users: admin: is not a bcrypt hash, make one with iometer-exporter hash-password"
    ),
    f"basic_auth_users: {{12: {HASH}}}": "basic_auth_users: 12: is not a text, put the user name in quotes",
    f"basic_auth_users: {{{HASH}: admin}}": (
        "basic_auth_users: a hash stands where a user name is expected, write NAME: HASH"
    ),
    f"basic_auth_users: {{'': {HASH}}}": (
        "basic_auth_users: '' is not a user name, it must not be empty or contain a colon"
    ),
    f"basic_auth_users: {{'a:b': {HASH}}}": (
        "basic_auth_users: 'a:b' is not a user name, it must not be empty or contain a colon"
    ),
    "rate_limit: {interval: 5, burst: 1}": f"rate_limit.interval: {NO_TEXT}",
    "rate_limit: {interval: 1d, burst: 1}": (
        "rate_limit.interval: '1d' is not a duration, write a number and a unit such as 100ms, 1s or 1m"
    ),
    "rate_limit: {interval: -1s, burst: 1}": (
        "rate_limit.interval: '-1s' is not a duration, write a number and a unit such as 100ms, 1s or 1m"
    ),
    "rate_limit: {interval: 1s}": (
        "rate_limit.burst: is 0, so that every request would be refused, write 1 or more"
    ),
    "rate_limit: {burst: -1}": "rate_limit.burst: is the value -1, expected a whole number from 0 on",
    "rate_limit: {burst: 1.5}": "rate_limit.burst: is the value 1.5, expected a whole number from 0 on",
    "rate_limit: {burst: true}": "rate_limit.burst: is the value true, expected a whole number from 0 on",
    "rate_limit: {}\nrate_limit: {}": "line 2: the key 'rate_limit' stands twice, remove one",
    "basic_auth_users: {admin: !geheim }": (
        "line 1: not valid YAML: could not determine a constructor for the tag"
    ),
    "basic_auth_users: {admin: *geheim }": "line 1: not valid YAML: found undefined alias",
    "basic_auth_users: {admin: !!int geheim}": "not valid YAML: invalid literal for int() with base 10:",
    "basic_auth_users: {admin: !!float geheim}": "not valid YAML: could not convert string to float:",
}


def test_everything_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        parse(
            "tls_server_config: {cert_file: c, min_version: TLS14}\n"
            "basic_auth_users: {admin: geheim}\n"
            "rate_limit: {interval: 1s}\n"
            "rate_limits: {}\n"
        )
    assert caught.value.problems == (
        f"tls_server_config.min_version: is the text 'TLS14', {VERSIONS}",
        "basic_auth_users: admin: is not a bcrypt hash, make one with iometer-exporter hash-password",
        "rate_limit.burst: is 0, so that every request would be refused, write 1 or more",
        "rate_limits: unknown key, did you mean 'rate_limit'?",
    )


@pytest.mark.parametrize(("text", "message"), BAD.items())
def test_bad_files_name_the_key_and_what_is_expected_and_no_secret(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert str(caught.value) == message
    for secret in ("geheim", "4711", HASH[:20]):
        assert secret not in message


def test_what_is_wrong_in_a_file_is_told_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "web.yml"
    path.write_text("tls_config: {}")
    with pytest.raises(ConfigError) as caught:
        load_web_config(path)
    assert str(caught.value) == f"{path}: tls_config: unknown key, did you mean 'tls_server_config'?"


def test_relative_paths_start_at_the_file(tmp_path: Path) -> None:
    path = tmp_path / "web.yml"
    path.write_text(tls())
    config = load_web_config(path)
    assert config.path == path
    assert config.tls is not None
    assert (config.tls.cert.path, config.tls.key.path) == (tmp_path / "c", tmp_path / "k")


def test_no_secret_is_in_a_repr() -> None:
    config = parse(
        f"basic_auth_users: {{admin: {HASH}}}\n" + tls("cert: geheim, key: geheim", pair="min_version: TLS12")
    )
    assert config.users
    assert config.tls is not None
    assert config.tls.key.text == "geheim"
    assert "geheim" not in repr(config)
    assert HASH not in repr(config)


keys = st.sampled_from(
    ["tls_server_config", "basic_auth_users", "http_server_config", "headers", "rate_limit", "interval", "x"]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.dates() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)


@given(values.map(yaml.safe_dump))
def test_any_text_is_a_configuration_or_a_configuration_error(text: str) -> None:
    try:
        parse(text)
    except ConfigError as error:
        message = str(error)
        assert message

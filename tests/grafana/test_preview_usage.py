"""What the preview says where it cannot draw: a sentence each."""

import http.server
import threading
from pathlib import Path

import pytest

from grafana import preview


def test_a_prometheus_that_is_not_there_is_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"http://127.0.0.1:9 does not answer: .*refused"):
        preview.main(["--prometheus", "http://127.0.0.1:9", "-o", str(tmp_path)])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--prometheus=localhost:9090"], "'localhost:9090' is not an address such as http://localhost:9090"),
        (["--demo", "--time=noon"], "'noon' is not a time such as 2026-04-05T19:42"),
        (["--demo", "--zone=Europe/Bonn"], "'Europe/Bonn' is not a time zone such as Europe/Berlin"),
        (["--demo", "--scrape-interval=0"], "'0' is not a number of seconds such as 15"),
        (["--demo", "--board=garden"], "invalid choice: 'garden'"),
    ],
)
def test_an_option_that_cannot_be_is_refused(
    options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        preview.main([*options, "-o", str(tmp_path)])
    assert message in capsys.readouterr().err


def test_a_history_that_is_not_known_is_told_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whatever is installed.
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match="'winter' is not a history, take one of: "):
        preview.main(["--demo", "--scenario=winter", "-o", str(tmp_path)])


def test_a_folder_that_cannot_be_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit, match="is no folder to write to: "):
        preview.main(["--prometheus=http://127.0.0.1:9", "-o", str(tmp_path / "file")])


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (200, b"<html>", "answers, but not as a Prometheus does"),
        (404, b"<html>", "answers, but not as a Prometheus does"),
        (422, b'{"error": "too many samples"}', "refuses a query: .*: too many samples"),
    ],
)
def test_an_answer_of_another_kind_is_told_in_a_sentence(
    status: int, body: bytes, message: str, tmp_path: Path
) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        with pytest.raises(SystemExit, match=message):
            preview.main(
                [f"--prometheus=http://127.0.0.1:{server.server_port}", "--board=fleet", "-o", str(tmp_path)]
            )
        server.shutdown()


def test_a_demo_without_prometheus_is_told_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match="prometheus and promtool not found"):
        preview.main(["--demo", "-o", str(tmp_path)])

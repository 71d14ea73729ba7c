from iometer_exporter.metrics.exposition import OPENMETRICS, TEXT, render
from iometer_exporter.metrics.families import Family
from iometer_exporter.metrics.lines import Lines


def test_content_types_name_the_version_that_is_served() -> None:
    assert TEXT.content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert OPENMETRICS.content_type == "application/openmetrics-text; version=1.0.0; charset=utf-8"


def test_a_page_has_one_part_after_the_other() -> None:
    families = [Family("b_total", "counter", (), "B."), Family("a", "gauge", (), "A.")]
    parts = []
    for family in families:
        parts.append(Lines([family]))
        parts[-1].add([((), [(family, (), 2)])])
    assert render(parts, TEXT) == (
        b"# HELP b_total B.\n# TYPE b_total counter\nb_total 2.0\n# HELP a A.\n# TYPE a gauge\na 2.0\n"
    )
    assert render(parts, OPENMETRICS) == (
        b"# HELP b B.\n# TYPE b counter\nb_total 2.0\n# HELP a A.\n# TYPE a gauge\na 2.0\n# EOF\n"
    )
    assert render([], OPENMETRICS) == b"# EOF\n"

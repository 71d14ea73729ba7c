import pytest
from hypothesis import given
from hypothesis import strategies as st

from iometer_exporter.errors import ObisError
from iometer_exporter.meter import obis
from iometer_exporter.meter.obis import ObisCode

groups = st.tuples(*[st.integers(0, 255)] * 6)
codes = groups.map(lambda values: ObisCode(*values))


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("01-00:01.08.00*ff", "1-0:1.8.0"),
        ("01-00:01.08.00*FF", "1-0:1.8.0"),
        ("01-00:01.08.00", "1-0:1.8.0"),
        ("01-00:02.08.00*ff", "1-0:2.8.0"),
        ("01-00:10.07.00*ff", "1-0:16.7.0"),
        ("01-00:24.07.00*ff", "1-0:36.7.0"),
        ("01-00:38.07.00*ff", "1-0:56.7.0"),
        ("01-00:4c.07.00*ff", "1-0:76.7.0"),
        ("01-00:4C.07.00*FF", "1-0:76.7.0"),
        ("01-00:0e.07.00*fF", "1-0:14.7.0"),
        ("01-00:01.08.01*ff", "1-0:1.8.1"),
        ("01-00:01.08.00*01", "1-0:1.8.0*1"),
        ("1-0:1.8.0", "1-0:1.8.0"),
        ("1-0:1.8.0*255", "1-0:1.8.0"),
        ("1-0:16.7.0", "1-0:16.7.0"),
        ("1-0:76.7.0", "1-0:76.7.0"),
        ("1-0:1.8.0*7", "1-0:1.8.0*7"),
        ("001-000:001.008.000*255", "1-0:1.8.0"),
        ("ff-ff:ff.ff.ff*ff", "255-255:255.255.255"),
        ("0-0:0.0.0*0", "0-0:0.0.0*0"),
    ],
)
def test_hexadecimal_and_decimal_forms_give_one_canonical_form(text: str, canonical: str) -> None:
    assert str(ObisCode.parse(text)) == canonical


def test_the_two_forms_of_one_code_are_equal_and_hash_alike() -> None:
    assert (
        len({ObisCode.parse("01-00:4c.07.00*ff"), ObisCode.parse("1-0:76.7.0"), ObisCode(1, 0, 76, 7, 0)})
        == 1
    )


@given(groups)
def test_any_six_groups_parse_alike_from_both_forms_and_from_their_canonical_text(
    values: tuple[int, ...],
) -> None:
    a, b, c, d, e, f = values
    code = ObisCode(*values)
    hexadecimal = f"{a:02x}-{b:02x}:{c:02x}.{d:02x}.{e:02x}*{f:02x}"
    assert ObisCode.parse(hexadecimal) == code
    assert ObisCode.parse(hexadecimal.upper()) == code
    assert ObisCode.parse(f"{a:03d}-{b:03d}:{c:03d}.{d:03d}.{e:03d}*{f:03d}") == code


@given(groups)
def test_the_canonical_text_of_a_code_in_any_decimal_shape_parses_back(values: tuple[int, ...]) -> None:
    code = ObisCode(*values)
    two_digits_everywhere = all(10 <= value <= 99 for value in (code.a, code.b, code.c, code.d, code.e))
    if not two_digits_everywhere:
        assert ObisCode.parse(str(code)) == code


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "1.8.0",
        "1-0:1.8",
        "1-0:1.8.0.0",
        "1-0:1.8.0*",
        "1-0:1.8.0*256",
        "1-0:256.8.0",
        "1-0:999.8.0",
        "1-0:1.8.a",
        "01-00:01.08.0g*ff",
        "01-00:01.08.00*fff",
        "01-00:4c.7.00*ff",
        " 1-0:1.8.0",
        "1-0:1.8.0 ",
        "1-0:1.8.0\n",
        "-1-0:1.8.0",
        "1-0:+1.8.0",
        "1-0:\N{ARABIC-INDIC DIGIT ONE}.8.0",
        "1_0:1.8.0",
        "0x1-0:1.8.0",
    ],
)
def test_what_is_no_code_is_an_error_that_shows_the_text_and_an_example(text: str) -> None:
    with pytest.raises(ObisError) as caught:
        ObisCode.parse(text)
    assert str(caught.value) == f"{text!r} is not an OBIS code such as '01-00:01.08.00*ff' or '1-0:1.8.0'"


@given(st.one_of(st.text(), st.text(alphabet="0123456789abcdefABCDEF-:.*", max_size=20)))
def test_any_text_is_a_code_or_an_obis_error(text: str) -> None:
    try:
        code = ObisCode.parse(text)
    except ObisError:
        return
    assert all(0 <= group <= 255 for group in (code.a, code.b, code.c, code.d, code.e, code.f))


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        ("1-0:1.8.0", ("import", "")),
        ("1-0:2.8.0", ("export", "")),
        ("1-0:1.8.1", ("import", "1")),
        ("1-0:1.8.2", ("import", "2")),
        ("1-0:1.8.63", ("import", "63")),
        ("1-0:2.8.1", ("export", "1")),
        ("1-0:2.8.2", ("export", "2")),
        ("1-0:1.8.64", None),
        ("1-0:3.8.0", None),
        ("1-0:3.8.1", None),
        ("1-0:1.7.1", None),
        ("1-0:16.7.0", None),
        ("1-1:1.8.0", None),
        ("1-1:1.8.1", None),
        ("0-0:1.8.1", None),
        ("1-0:1.8.0*1", None),
        ("1-0:1.8.1*0", None),
    ],
)
def test_energy_counters_are_the_totals_and_their_tariffs(text: str, counted: tuple[str, str] | None) -> None:
    assert obis.ENERGIES.get(ObisCode.parse(text)) == counted


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1-0:1.8.0", "energy drawn from the grid, total"),
        ("1-0:2.8.0", "energy fed into the grid, total"),
        ("1-0:1.8.2", "energy drawn from the grid, tariff 2"),
        ("1-0:2.8.1", "energy fed into the grid, tariff 1"),
        ("1-0:16.7.0", "power now, negative while feeding in"),
        ("1-0:1.7.0", "power drawn from the grid now"),
        ("1-0:2.7.0", "power fed into the grid now"),
        ("1-0:14.7.0", "grid frequency"),
        ("1-0:36.7.0", "power now, L1"),
        ("1-0:56.7.0", "power now, L2"),
        ("1-0:76.7.0", "power now, L3"),
        ("1-0:32.7.0", "voltage, L1"),
        ("1-0:52.7.0", "voltage, L2"),
        ("1-0:72.7.0", "voltage, L3"),
        ("1-0:31.7.0", "current, L1"),
        ("1-0:51.7.0", "current, L2"),
        ("1-0:71.7.0", "current, L3"),
        ("1-0:96.1.0", ""),
    ],
)
def test_describe_says_what_a_code_means(text: str, words: str) -> None:
    assert obis.describe(ObisCode.parse(text)) == words


@given(codes)
def test_describe_has_words_for_every_energy_counter(code: ObisCode) -> None:
    assert bool(obis.describe(code)) >= (code in obis.ENERGIES)

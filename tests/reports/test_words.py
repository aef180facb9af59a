"""Wording: both languages say everything, quantities carry their unit."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

from reports.numbers.quantity import Quantity, Scale
from reports.words import LOCALES, Words, languages, one_line, phrases


def forms(phrase) -> dict[str, str]:
    return {"": phrase} if isinstance(phrase, str) else dict(phrase)


def placeholders(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)


def test_both_languages_have_the_same_keys_and_placeholders():
    english, korean = phrases("en"), phrases("ko")
    assert languages() == ["en", "ko"]
    assert list(english) == list(korean)
    for key, phrase in english.items():
        told = {form: placeholders(text) for form, text in forms(phrase).items()}
        assert told == {form: placeholders(text) for form, text in forms(korean[key]).items()}, key


def test_no_korean_phrase_was_left_in_english():
    same_in_both = {"head.objective", "config.absent", "standing.what", "key.state"}
    for key, phrase in phrases("ko").items():
        for text in forms(phrase).values():
            assert re.search("[가-힣]", text) or key in same_in_both or key.startswith("unit."), key


# Groups and beginnings of keys that are put together where they are used, as in f"state.{trial.state}".
BUILT = ("unit.", "state.", "status.", "words.", "head.m", "progress.axis_", "pruning.", "next.widen_", "curves.")
BUILT += ("config.edge_", "slices.edge_", "key.", "compare.", "symptoms.", "standing.")
BUILT += ("trials.behind", "trials.baseline")
BUILT += tuple(f"verdict.{word}_" for word in ("baseline", "over", "noise", "runner_up", "one_run"))


def test_every_phrase_is_used():
    folder = LOCALES.parent
    sources = "\n".join(path.read_text() for path in [*folder.rglob("*.py"), *folder.glob("templates/*.j2")])
    unused = [key for key in phrases("en") if f'"{key}"' not in sources and not key.startswith(BUILT)]
    assert unused == []


def test_quantities_are_written_as_each_language_writes_them():
    english, korean = Words("en", Scale("fraction", 2)), Words("ko", Scale("fraction", 2))
    cases = {
        Quantity("value", 0.9618): ("96.18 %", "96.18%"),
        Quantity("points", 0.0042): ("0.42 points", "0.42%p"),
        Quantity("points", 0.01): ("1.00 point", "1.00%p"),
        Quantity("signed_points", -0.0042): ("−0.42 points", "−0.42%p"),
        Quantity("points", 0.00001): ("< 0.01 points", "< 0.01%p"),
        Quantity("relative", 0.0044): ("+0.44 %", "+0.44%"),
        Quantity("share", 0.613): ("61 %", "61%"),
        Quantity("duration", 4920): ("82 min", "82분"),
        Quantity("duration", 8000): ("2 h 13 min", "2시간 13분"),
        Quantity("trials", 1): ("1 trial", "시도 1개"),
        Quantity("trials", 1200): ("1,200 trials", "시도 1,200개"),
        Quantity("correlation", -0.5): ("−0.50", "−0.50"),
    }
    for quantity, expected in cases.items():
        shown = tuple(words.quantity(quantity).replace("\u00a0", " ") for words in (english, korean))
        assert shown == expected, quantity


@pytest.mark.parametrize(
    ("hours", "device", "expected"),
    [
        (8.63, "gpu", ("8.6 GPU-hours", "GPU 8.6시간")),
        (0.05, "gpu", ("3.0 GPU-minutes", "GPU 3.0분")),
        (0.002, "cpu", ("7.2 CPU-seconds", "CPU 7.2초")),
        (0.0, "gpu", ("0 GPU-hours", "GPU 0시간")),
    ],
)
def test_device_hours_are_written_in_the_unit_that_suits_them(hours: float, device: str, expected: tuple[str, str]):
    assert tuple(Words(lang).hours(hours, device).replace("\u00a0", " ") for lang in ("en", "ko")) == expected


def test_a_loss_has_no_points():
    words = Words("en", Scale("plain", 3))
    assert words.value(0.4123) == "0.412"
    assert words.points(0.0042) == "0.004"


def test_control_characters_of_a_name_never_reach_a_terminal():
    assert one_line("a\x1b[31mred\nline\x07") == "a [31mred line"


def test_an_unknown_language_is_an_error_that_names_the_known_ones():
    with pytest.raises(ValueError, match="must be one of en, ko, but got 'de'"):
        Words("de")


def test_the_locale_files_lie_where_the_package_ships_them():
    assert {path.name for path in LOCALES.glob("*")} == {"en.yaml", "ko.yaml"}
    assert Path(LOCALES).parent.name == "reports"

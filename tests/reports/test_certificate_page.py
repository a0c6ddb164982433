"""A certificate as a page: what is on it, and that foreign text can do no harm there."""

from __future__ import annotations

from collections import Counter
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest

from harness.certificates import Certificate, LawResult, Status, Verdict
from reports.certificate_page import page

LEVELS = {"core": "what every driver does", "revert": "back to a snapshot"}
HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7 * 7 }}&lt;\x1b[2J\u202e\ud800\n"


def law(name: str, status: Status, **fields: Any) -> LawResult:
    """One result."""
    defaults = {
        "sentence": f"{name} holds.", "source": "somewhere", "group": "volumes", "level": "core", "examples": 3,
    }  # fmt: skip
    return LawResult(**{"law": f"volumes/{name}", "status": status, **defaults, **fields})


BROKEN = law(
    "size", "failed", values={"size": "1"}, reason="is 2, but should be 1", steps=["create_volume(v1) -> None"]
)


def certificate(*laws: LawResult, verdict: Verdict = "breaks", **fields: Any) -> Certificate:
    """Of these laws."""
    defaults = {
        "crucible": "0.1.0", "python": "3.11.7", "subject": "pkg.driver:Mine", "driver": "pkg.driver:Mine",
        "version": "1.2", "digest": "0f" * 32, "profile": "ci", "seed": 7,
        "started": "2026-11-26T00:00:00+00:00", "duration_s": 1.5,
    }  # fmt: skip
    return Certificate(**{"laws": list(laws), "verdict": verdict, **defaults, **fields})


class Seen(HTMLParser):
    """The tags with the names of their attributes, and the text, of a page as a browser reads it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: Counter[tuple[str, ...]] = Counter()
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[(tag, *(name for name, _ in attrs))] += 1

    def handle_data(self, data: str) -> None:
        self.text += data


def shown(*laws: LawResult, **fields: Any) -> str:
    """The text of the page with these laws, each run of blanks as one."""
    return " ".join(Seen(page(certificate(*laws, **fields), LEVELS)).text.split())


def test_a_broken_law_is_shown_with_everything() -> None:
    """Sentence, values, what was found, the sequence, and the command that repeats it."""
    text = shown(BROKEN, law("fine", "passed"))
    assert "The driver breaks 1 law of the contract." in text
    for part in ("size holds.", "size=1", "is 2, but should be 1", "create_volume(v1) -> None"):
        assert part in text
    assert "crucible certify pkg.driver:Mine --profile ci --seed 7 -k volumes/size" in text


def test_what_breaks_many_laws_is_shown_once() -> None:
    """In the law that needs the fewest steps; the others are named, with their sentences."""
    longer = msgspec.structs.replace(BROKEN, law="volumes/longer", sentence="longer holds.", steps=["a", "b"])
    other = msgspec.structs.replace(BROKEN, law="volumes/other", reason="another thing")
    text = shown(longer, BROKEN, other)
    assert "Broken laws 3" in text
    assert text.count("is 2, but should be 1") == 1
    assert text.index("-k volumes/size") < text.index("volumes/longer longer holds.")
    assert "1 other law, in which the same was found" in text


def test_what_decides_the_run_is_on_the_page() -> None:
    """Versions, digest, seed, configuration: all that is needed to do the same again."""
    asked = {"configuration": ["a b.conf"], "backend": "gold", "array": "pkg.testing:Array", "levels": ["core"]}
    text = shown(law("fine", "passed"), verdict="keeps", xfail="known.toml", cinder="28.0.0", **asked)
    for part in ("0f" * 32, "28.0.0", "3.11.7", "seed 7", "2026-11-26 00:00:00 UTC", "known.toml"):
        assert part in text
    assert (
        "crucible certify pkg.driver:Mine --config 'a b.conf' --backend gold --array pkg.testing:Array "
        "--level core --xfail known.toml --profile ci --seed 7" in text
    )


def test_levels_say_what_was_not_checked_and_why() -> None:
    """A skip has its reason, and is no pass; a level that nobody asked for is named."""
    text = shown(law("thin", "skipped", reason="it is thick"), verdict="unchecked")
    assert "core what every driver does it is thick not checked" in text
    assert "Not asked for: revert." in text


def test_known_failures_have_their_reason() -> None:
    """And what is wrong with the list of them is said."""
    text = shown(msgspec.structs.replace(BROKEN, known="LP 1"), stale=["volumes/fine: it passes now"])
    assert "Known failures 1" in text
    assert "LP 1" in text
    assert "The list of known failures is out of date." in text
    assert "volumes/fine: it passes now" in text
    assert "Broken laws" not in text


def test_the_page_brings_nothing_from_elsewhere() -> None:
    """No script, no link to fetch; the policy forbids both."""
    html = page(certificate(BROKEN), LEVELS)
    assert "http://" not in html
    assert "https://" not in html
    assert "<script" not in html
    assert "default-src 'none'" in html


LAWS = [
    BROKEN,
    law("thin", "skipped", reason="why"),
    law("clones", "failed", reason="why", known="known"),
    law("defect", "error", reason="why"),
]
TEXTS = ["subject", "driver", "version", "digest", "started", "keyword", "crucible", "python"]


@pytest.mark.parametrize("place", [*TEXTS, "laws"])
def test_hostile_text_stays_text(place: str) -> None:
    """Whatever a driver says, the page has the same elements, and nothing that cannot be seen."""

    def made(text: str) -> Certificate:
        if place in TEXTS:
            return msgspec.structs.replace(certificate(*LAWS), **{place: text})
        fields = ("law", "sentence", "source", "group", "level", "reason")
        laws = [
            msgspec.structs.replace(
                each, **{name: f"{getattr(each, name)}{text}" for name in fields},
                values={text: text}, steps=[text, text], known=each.known and text,
            )
            for each in LAWS
        ]  # fmt: skip
        return certificate(*laws, stale=[text], configuration=[text], backend=text, array=text, xfail=text)

    hostile, harmless = page(made(HOSTILE), LEVELS), page(made("harmless"), LEVELS)
    assert Seen(hostile).tags == Seen(harmless).tags
    assert "alert(1)" in Seen(hostile).text
    assert "\\x1b[2J\\u202e\\ud800\\n" in Seen(hostile).text
    assert "{{ 7 * 7 }}" in hostile
    hostile.encode()

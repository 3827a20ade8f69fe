"""Verdicts follow from comparisons; claims show as a table and read as data."""

from dataclasses import asdict

import numpy as np
import pytest
import torch
from IPython.core.formatters import DisplayFormatter

from examples import refuses
from helpers.claims import (
    HEADER,
    MIME,
    Claim,
    ClaimTable,
    answer,
    bullets,
    compared,
    part,
    verdict,
)
from helpers.intervals import Estimate

CLAIM = Claim("P7", "a < b & c", "0.4 [0.3, 0.5]", "8 networks, 2 data draws", "holds")


@pytest.mark.parametrize("in_the_post, elsewhere, expected", [
    (True, True, "holds"), (True, False, "holds with limits"),
    (False, True, "fails"), (False, False, "fails"),
    (np.True_, torch.tensor(False), "holds with limits")])
def test_verdicts(in_the_post, elsewhere, expected):
    assert verdict(in_the_post, elsewhere) == expected


def test_without_other_regimes_the_posts_own_decides():
    assert (verdict(True), verdict(False)) == ("holds", "fails")


@pytest.mark.parametrize("a, b, expected", [
    ((0.3, 0.4), (0.1, 0.2), "above"), ((0.1, 0.2), (0.3, 0.4), "below"),
    ((0.1, 0.3), (0.2, 0.4), "between"), ((0.1, 0.2), (0.2, 0.4), "between"),
    ((0.2, 0.4), (0.1, 0.2), "between")])
def test_words_follow_from_intervals_that_do_not_touch(a, b, expected):
    one, other = (Estimate(sum(ends) / 2, *ends, networks=8, draws=2) for ends in (a, b))
    assert compared(one, other, "above", "below", "between") == expected


def test_shares_in_sentences():
    assert [part(fraction) for fraction in (0.5, 0.3, 0.125)] == ["half", "30 %", "12.5 %"]


def test_claims_show_as_html_text_and_data():
    second = Claim("C1", "d", "e", "f", "fails")
    bundle, _ = DisplayFormatter().format(ClaimTable(CLAIM, second))
    bundle = bundle or ClaimTable(CLAIM, second)._repr_mimebundle_()
    assert bundle[MIME] == [asdict(CLAIM), asdict(second)]
    assert tuple(asdict(CLAIM)) == HEADER
    html = bundle["text/html"]
    assert html.count("<tr>") == 3 and html.count("<td>") == 10 and html.count("<th>") == 5
    assert "<td>a &lt; b &amp; c</td>" in html
    assert bundle["text/plain"].splitlines() == [
        "P7: holds: 0.4 [0.3, 0.5] (8 networks, 2 data draws)", "C1: fails: e (f)"]


def test_answers_and_bullets_are_markdown():
    assert answer("0.4 of 8").data == "> **Answer.** 0.4 of 8"
    assert bullets("one", "two").data == "- one\n- two"


@refuses(
    (lambda: verdict(0.3), TypeError, "in_the_post is 0.3; expected True or False"),
    (lambda: verdict(True, None), TypeError, "elsewhere is None"),
    (lambda: verdict("holds"), TypeError, "in_the_post is 'holds'"),
    (lambda: verdict(np.array([True, False])), TypeError, "in_the_post is array"),
    (lambda: ClaimTable(CLAIM, "P8 holds"), TypeError, "claims holds 'P8 holds'; expected Claim"),
)
def test_nonsense_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()

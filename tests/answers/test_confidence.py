"""A stated confidence: each form with its value from 0 to 1, and what cannot be told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geostore.answers import parse_answer
from geostore.answers.confidence import FORMS, read_confidence


def confidence_of(response: str) -> tuple[float | None, str | None]:
    stated = parse_answer(response).stated
    return stated.confidence, stated.confidence_form


@pytest.mark.parametrize(
    ("response", "value", "form"),
    [
        ('{"lat": 1.5, "lon": 2.5, "confidence": 4}', 0.75, "1-5"),
        ('{"confidence": "4"}', 0.75, "1-5"),
        ('{"confidence": 5}', 1.0, "1-5"),
        ('{"confidence": "4/5"}', 0.75, "1-5"),
        ('{"confidence_1_5": 1}', 0.0, "1-5"),
        ('{"confidence": 3.5}', 0.625, "1-5"),
        ("Confidence: 4/5", 0.75, "1-5"),
        ("Confidence: 1/5", 0.0, "1-5"),
        ("Confidence (1-5): 1", 0.0, "1-5"),
        ("Confidence (1–5): **5**", 1.0, "1-5"),
        ("**Confidence:** 3 out of 5", 0.5, "1-5"),
        ("Confidence: 7/10", 6 / 9, "1-10"),
        ("Confidence: 10 out of 10", 1.0, "1-10"),
        ("Confidence (on a scale of 1 to 10): 4", 3 / 9, "1-10"),
        ("Confidence: 85%", 0.85, "percent"),
        ("Confidence: ~85 %", 0.85, "percent"),
        ("**Confidence Level**: 85 percent", 0.85, "percent"),
        ("confidence: 85", 0.85, "percent"),
        ("Confidence: 85/100", 0.85, "percent"),
        ("Confidence: 80-90%", 0.85, "percent"),
        ("Confidence: 1%", 0.01, "percent"),
        ('{"confidence": "92.5%"}', 0.925, "percent"),
        ('{"confidence_percent": 3}', 0.03, "percent"),
        ('{"confidence": 0.85}', 0.85, "fraction"),
        ('{"confidence_score": "0.9"}', 0.9, "fraction"),
        ("Confidence: 0.7", 0.7, "fraction"),
        ("Confidence: 1.0", 1.0, "fraction"),
        ("Confidence: 0.9/1.0", 0.9, "fraction"),
        ("Confidence: **High** ✅", 0.75, "words"),
        ("Confidence: 0", 0.0, "fraction"),
        ("Confidence (0-1): 1", 1.0, "fraction"),
        ("Overall confidence: 0,6", 0.6, "fraction"),
        ('{"confidence": "high"}', 0.75, "words"),
        ('{"confidence": "Very Low"}', 0.0, "words"),
        ("Confidence: medium", 0.5, "words"),
        ("Confidence: Moderate", 0.5, "words"),
        ("Confidence: low", 0.25, "words"),
        ("Confidence: Very high!", 1.0, "words"),
        ("- **Confidence:** Very high", 1.0, "words"),
        ("Confidence: Medium-High", 0.625, "words"),
        ("Confidence: medium to high", 0.625, "words"),
        ("Confidence: Low–Medium", 0.375, "words"),
        ("Confidence: High (85%)", 0.85, "percent"),
        ("Confidence: High — the sign is legible", 0.75, "words"),
        ("Confidence: High, because the sign is legible", 0.75, "words"),
        ("置信度：高", 0.75, "words"),
        ("置信度：85%", 0.85, "percent"),
        ("**信心程度**：很高", 1.0, "words"),
        ("把握：中等", 0.5, "words"),
        ("置信度：较低", 0.375, "words"),
        ("Confianza: alta", 0.75, "words"),
        ("Nivel de confianza: muy baja", 0.0, "words"),
        ("Confiança: média", 0.5, "words"),
        ("Confiance : élevée", 0.75, "words"),
        ("Niveau de confiance : très faible", 0.0, "words"),
        ("Konfidenz: mittel", 0.5, "words"),
        ("**Konfidenz:** sehr hoch", 1.0, "words"),
        ("Уверенность: высокая", 0.75, "words"),
        ("Уверенность: средняя", 0.5, "words"),
        ("信頼度：低い", 0.25, "words"),
        ("確信度：高い", 0.75, "words"),
        ("신뢰도: 보통", 0.5, "words"),
        ("신뢰도: 매우 높음", 1.0, "words"),
        ("Confidence — High", 0.75, "words"),
        ("| Confidence | 4/5 |", 0.75, "1-5"),
        ("<confidence>0.8</confidence>", 0.8, "fraction"),
        ("<answer>France; Lyon; Croix-Rousse\nConfidence: 4/5</answer>", 0.75, "1-5"),
        ("Confidence: 60%\n\nFinal answer\nConfidence: 80%", 0.8, "percent"),
        ("Confidence: 80%.\n\nConfidence: 80%", 0.8, "percent"),
    ],
)
def test_a_stated_confidence_becomes_a_number_from_0_to_1(
    response: str, value: float | None, form: str | None
) -> None:
    confidence, read_form = confidence_of(response)
    assert read_form == form
    assert confidence == (None if value is None else pytest.approx(value))


@pytest.mark.parametrize(
    "response",
    [
        "Confidence: 1",  # the lowest of five levels, or all of a fraction
        '{"confidence": 1}',
        "Confidence: 7",  # of ten levels, or percent
        "Confidence: 10",
        "Confidence: 150%",
        "Confidence: 6/5",
        "Confidence: 0/5",
        "Confidence: -3",
        "Confidence (1-5): 7",
        '{"confidence_percent": 0.9}',
        '{"confidence": null}',
        '{"confidence": "high|medium|low"}',
        '{"confidence": {"country": 0.9, "city": 0.4}}',
        '{"country_confidence": 0.9}',
        "Confidence: 1-5",
        "Confidence: 0-100%",
        "Confidence: 80-20%",
        '{"confidence": 0.8, "certainty": 0.6}',
        "Confianza: alta para el país, baja para la ciudad",
        "Confidence: <number>",
        "Confidence: 95% for the country, 40% for the city",
        "Confidence: high for the country, low for the city",
        "Confidence: 95% (country), 40% (city)",
        "Confidence: High (country) / Low (city)",
        "**Confidence: Medium-High** for the country, lower for the island",
        "Confidence: 80% that it is France",
        "Country confidence: 95%",
        "City confidence: low",
        "Confidence interval: 95%",
        "The 95% confidence interval is 80 km wide.",
        "I am 80 km from the border, with confidence.",
        "I can say with high confidence that this is Europe.",
        "The sky covers 85% of the image.",
        "Highway 85: high",
        "Confidence: highway signs",
        "Confidence: 4 of the signs",
        "France: confidence: 60%\nSpain: confidence: 40%",
        "| Place | Confidence |\n|---|---|\n| France | 60% |",
        "<think>Confidence: 85%</think> \\boxed{45.1, 3.2}",
    ],
)
def test_what_is_no_confidence_or_of_no_known_scale_is_none(response: str) -> None:
    assert confidence_of(response) == (None, None)


@given(
    st.text(alphabet="0123456789.,%/- lowhigmedu()of高中低5", max_size=30),
    st.sampled_from(["", "1-5", "1-10", "%", "0-1"]),
)
def test_every_value_gives_a_share_with_its_form_or_none(value: str, name: str) -> None:
    confidence = read_confidence(value, name=name)
    if confidence is not None:
        assert 0 <= confidence.value <= 1
        assert confidence.form in FORMS

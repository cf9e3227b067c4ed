"""Place words of an answer: each form, and near misses, which are worse than a place not read."""

import json
from string import ascii_uppercase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geostore.answers import parse_answer
from geostore.answers.place_names import is_country, is_of_state, is_region
from geostore.answers.place_values import MAX_LENGTH
from geostore.places import belongs_to, country_name
from geostore.places.territories import TERRITORIES

PLACES = st.sampled_from(
    [
        *("Country: ", "City: ", "region: ", "Location: ", "Final answer: ", "Confidence: "),
        *("France", "Lyon", "unknown", "国家：", "中国云南省", "(45.76, 4.83)", "85%"),
        *("<answer>", "</answer>", "\\boxed{", "}", "{", "[", "]", "<city>", "</city>", "**"),
        *('"country": ', '"city": "', '"', '"lat": 1.5', '"lon": 2.5', "--|--", "| "),
        *(", ", "; ", "\n", "- ", "?", "or ", ".", "4", "high", "/5"),
    ]
)


def words_of(response: str) -> tuple[str | None, str | None, str | None]:
    stated = parse_answer(response).stated
    return stated.country, stated.region, stated.city


def reads(
    response: str, country: str | None = None, region: str | None = None, city: str | None = None
) -> object:
    return pytest.param(response, (country, region, city), id=repr(response)[:70])


@pytest.mark.parametrize(
    ("response", "words"),
    [
        reads(
            '{"city": "Lyon", "country": "France", "lat": 45.76, "lon": 4.83}',
            "France",
            None,
            "Lyon",
        ),
        reads('{"town": "Vic", "province": "Barcelona"}', None, "Barcelona", "Vic"),
        reads('{"State": "Texas", "Country": "USA"}', "USA", "Texas"),
        reads('{"admin1": "Bavaria", "country_code": "DE"}', "DE", "Bavaria"),
        reads("{'city': 'Lyon', 'country': 'France'}", "France", None, "Lyon"),
        reads("{“city”: “Lyon”, “country”: “France”}", "France", None, "Lyon"),
        reads(
            '{"country": "C\\u00f4te d\'Ivoire", "city": "Abidjan"}',
            "Côte d'Ivoire",
            None,
            "Abidjan",
        ),
        reads(
            '{"location": {"city": "Lyon", "country": "France"}, "lat": 1.5, "lon": 2.5}',
            "France",
            None,
            "Lyon",
        ),
        reads('{"answer": {"lat": 1.5, "lon": 2.5, "country": "Chad"}}', "Chad"),
        reads('{"address": "350 5th Ave, New York, NY, USA, 10118"}', "USA", "NY", "New York"),
        reads('{"location": "Lyon, France", "lat": 45.76, "lon": 4.83}', "France", None, "Lyon"),
        reads(
            '{"FinalAnswer": "Chile; Los Lagos; Puerto Montt"}',
            "Chile",
            "Los Lagos",
            "Puerto Montt",
        ),
        reads('{"country": "Spain"} No, wait: {"country": "France"}', "France"),
        reads('{"country": "france", "city": "lyon"}', "france", None, "lyon"),
        reads('{"country": "Congo, Dem. Rep."}', "Congo, Dem. Rep."),
        reads('{"country": "Egypt, Arab Rep."}', "Egypt, Arab Rep."),
        reads('{"country": "France" "city": "Lyon", oops', "France", None, "Lyon"),
        reads('```json\n{\n  "country": "France",\n  "city": null\n}\n```', "France"),
        reads('<answer>{"country": "France", "city": "Lyon"}</answer>', "France", None, "Lyon"),
        reads(r'\boxed{{"country": "France", "city": "Lyon"}}', "France", None, "Lyon"),
        reads('{"国家": "中国", "省份": "云南省", "城市": "昆明市"}', "中国", "云南省", "昆明市"),
    ],
)
def test_members_of_json_name_the_place(
    response: str, words: tuple[str | None, str | None, str | None]
) -> None:
    assert words_of(response) == words


@pytest.mark.parametrize(
    ("members", "words"),
    [
        (
            # IMAGEO-Bench: the address stands beside the coordinates.
            {
                "reasoning": {"country": "Canada"},
                "reverse_geocoding": {
                    "address": {"city": "New York", "state": "NY", "country": "USA"},
                    "coordinates": {"latitude": "40.74", "longitude": "-73.98"},
                },
            },
            ("USA", "NY", "New York"),
        ),
        (
            # A list of places: the words of the one whose coordinates are read, the last.
            {
                "locations": [
                    {"country": "Spain", "city": "Vic", "latitude": 41.9, "longitude": 2.2},
                    {"country": "France", "latitude": 43.3, "longitude": -0.3},
                ]
            },
            ("France", None, None),
        ),
        (
            {
                "country": "France",
                "latitude": 43.3,
                "longitude": -0.3,
                "alternatives": [{"country": "Spain"}, {"country": "Italy", "city": "Turin"}],
            },
            ("France", None, None),
        ),
        (
            {"candidates": [{"country": "France"}, {"country": "Spain"}]},
            (None, None, None),
        ),
        (
            {"guesses": [{"country": "France"}, {"country": "Spain"}]},
            (None, None, None),
        ),
        (
            {"country": "France", "confidence": {"country": 0.9, "city": 0.4}},
            ("France", None, None),
        ),
    ],
)
def test_the_members_nearest_to_the_coordinates_count(
    members: dict[str, object], words: tuple[str | None, str | None, str | None]
) -> None:
    assert words_of(json.dumps(members, indent=2)) == words
    assert words_of(json.dumps(members)) == words


@pytest.mark.parametrize(
    ("response", "words"),
    [
        reads("Country: France", "France"),
        reads("**City**: Lyon\n**Country:** France", "France", None, "Lyon"),
        reads("- **Country:** France 🇫🇷\n- **City:** `Lyon`", "France", None, "Lyon"),
        reads("country: France\ncity: Lyon", "France", None, "Lyon"),
        reads("<answer>\ncountry: france\ncity: lyon\n</answer>", "france", None, "lyon"),
        reads(
            "City: Lyon\nRegion: Auvergne-Rhône-Alpes\nCountry: France"
            "\nLatitude: 45.76\nLongitude: 4.83",
            "France",
            "Auvergne-Rhône-Alpes",
            "Lyon",
        ),
        reads("Country: France, Region: Brittany, City: Rennes", "France", "Brittany", "Rennes"),
        reads("(Country: France; City: Lyon)", "France", None, "Lyon"),
        reads("Country = France | City = Lyon", "France", None, "Lyon"),
        reads(
            "1. **Country**: Peru\n2. **State/Province**: Cusco\n3. **City**: Cusco",
            "Peru",
            "Cusco",
            "Cusco",
        ),
        reads("Most likely country: Peru", "Peru"),
        reads("Estimated city: Lyon, France", "France", None, "Lyon"),
        reads("Nearest city: Hobart", None, None, "Hobart"),
        reads("**Country** – Chile", "Chile"),
        reads(
            "| Field | Value |\n|---|---|\n| Country | France |\n| City | Lyon |",
            "France",
            None,
            "Lyon",
        ),
        reads("| **Country** | **Japan** | signs in Japanese |\n", "Japan"),
        reads("<country>France</country><city>Lyon</city>", "France", None, "Lyon"),
        reads("国家：中国\n省份：云南省\n城市：昆明市", "中国", "云南省", "昆明市"),
        reads("**国家**：日本，**城市**：京都", "日本", None, "京都"),
        reads("País: España\nCiudad: Vic", "España", None, "Vic"),
        reads("Country: France (high confidence)", "France"),
        reads("Country: France - the signs are in French", "France"),
        reads("Country: France. The signs are in French.", "France"),
        reads("Country: Likely France", "France"),
        reads("Country: United States of America (USA)", "United States of America"),
        reads("Country: Bosnia and Herzegovina", "Bosnia and Herzegovina"),
        reads("Country: Trinidad and Tobago", "Trinidad and Tobago"),
        reads("Country: France, Europe", "France"),
        reads("Country: France, Continent: Europe", "France"),
        reads("Location: Lyon, France; Confidence: 80%", "France", None, "Lyon"),
        reads("Town/Village: Hallstatt", None, None, "Hallstatt"),
        reads("Country: Korea, South", "Korea, South"),
        reads("Country: England, United Kingdom", "United Kingdom"),
        reads("- **Country** → Italy", "Italy"),
        reads("City: Rio de Janeiro", None, None, "Rio de Janeiro"),
        reads("City: 's-Hertogenbosch\nCountry: The Netherlands", "The Netherlands", None, None),
        reads("City: St. Petersburg, Florida", None, None, "St. Petersburg"),
        reads("City: L’Aquila", None, None, "L’Aquila"),
        reads("Country:   \t France   ", "France"),
        reads("Location: Lyon, France\nCoordinates: 45.76, 4.83", "France", None, "Lyon"),
        reads("Location: Near Loulé, Portugal", "Portugal"),
        reads("Location: near Taos, New Mexico, USA", "USA", "New Mexico"),
        reads("**City:** Lyon **Country:** France", "France", None, "Lyon"),
        reads("Region/Province: Bali\nCountry: Indonesia", "Indonesia", "Bali"),
        reads("I am sure. Location: Monaco.", "Monaco"),
        reads("**Final answer:** Austin, Texas, USA (30.27, -97.74)", "USA", "Texas", "Austin"),
        reads(
            "Country: Spain\nNo.\n\nFinal answer\nCountry: Portugal\nCity: Faro",
            "Portugal",
            None,
            "Faro",
        ),
        reads(
            "Country: Spain\nLatitude: 40.1\nLongitude: -3.2\n\nBetter:\nCountry: Portugal"
            "\nLatitude: 38.7\nLongitude: -9.1",
            "Portugal",
        ),
        reads(
            "Country: France\n\nSome words.\n\nCountry: France\nCity: Lyon", "France", None, "Lyon"
        ),
    ],
)
def test_labelled_lines_name_the_place(
    response: str, words: tuple[str | None, str | None, str | None]
) -> None:
    assert words_of(response) == words


@pytest.mark.parametrize(
    ("response", "words"),
    [
        reads(
            "<answer> China; Hong Kong; Kowloon, Jordan Valley </answer>",
            "China",
            "Hong Kong",
            "Kowloon",
        ),
        reads(
            "<answer>United States; MN,Saint Louis County; Ash Lake</answer>",
            "United States",
            "MN",
            "Ash Lake",
        ),
        reads(
            "<answer>Lyon; Auvergne-Rhône-Alpes; France</answer>",
            "France",
            "Auvergne-Rhône-Alpes",
            "Lyon",
        ),
        reads("<answer>Paris, France</answer>", "France", None, "Paris"),
        reads("<answer>Paris, France\n48.8566, 2.3522</answer>", "France", None, "Paris"),
        reads("<answer>Paris, France (48.8566, 2.3522)</answer>", "France", None, "Paris"),
        reads(r"<answer>Paris, France \boxed{48.8566, 2.3522}</answer>", "France", None, "Paris"),
        reads(r"\boxed{48.8566, 2.3522 \text{ (Paris, France)}}", "France", None, "Paris"),
        reads(r"\boxed{\text{Paris, France}}", "France", None, "Paris"),
        reads(r"\boxed{France}", "France"),
        reads("<|begin_of_box|>Lyon, France<|end_of_box|>", "France", None, "Lyon"),
        reads("**Kyoto, Japan**\n(35.0116, 135.7681)", "Japan", None, "Kyoto"),
        reads("(35.0116, 135.7681) – Kyoto, Japan", "Japan", None, "Kyoto"),
        reads("35.0116° N, 135.7681° E (Kyoto, Japan)", "Japan", None, "Kyoto"),
        reads("My best estimate is Kyoto, Japan (35.0116, 135.7681).", "Japan", None, "Kyoto"),
        reads(
            "I say it is **Kyoto, Japan** at roughly (35.0116, 135.7681).", "Japan", None, "Kyoto"
        ),
        reads(
            "<answer>Lyon, Auvergne-Rhône-Alpes, France</answer>",
            "France",
            "Auvergne-Rhône-Alpes",
            "Lyon",
        ),
        reads("<answer>Cusco, Cusco, Peru</answer>", "Peru", "Cusco", "Cusco"),
        reads("<answer>San Diego, CA</answer>", None, "CA", "San Diego"),
        reads("<answer>Atlanta, Georgia, USA</answer>", "USA", "Georgia", "Atlanta"),
        reads("<answer>Hong Kong, China</answer>", "China", None, "Hong Kong"),
        reads("<answer>中国云南省昆明市</answer>", "中国", "云南省", "昆明市"),
        reads("位置：日本京都市\n(35.0116, 135.7681)", "日本", None, "京都市"),
        reads("<answer>China, Yunnan, Kunming</answer>", "China", "Yunnan", "Kunming"),
        # The country is sure; whether the next word is the city is not.
        reads("<answer>Montmartre, Paris, France</answer>", "France"),
        reads("<answer>Lyon, Rhône, France</answer>", "France"),
        reads("<answer>Eiffel Tower, France</answer>", "France"),
        reads("<answer>Northern Norway, Norway</answer>", "Norway"),
        reads("<answer>rural area, Kansas, USA</answer>", "USA", "Kansas"),
        reads("<answer>Bavaria, Germany</answer>", "Germany", "Bavaria"),
        # Georgia may be a state or a country.
        reads("<answer>Atlanta, Georgia</answer>", None, None, "Atlanta"),
        reads("<answer>Georgia</answer>"),
    ],
)
def test_a_list_of_names_is_a_place_where_nothing_else_can_be_meant(
    response: str, words: tuple[str | None, str | None, str | None]
) -> None:
    assert words_of(response) == words


@pytest.mark.parametrize(
    "response",
    [
        "Country roads: narrow",
        "Country roads: France has many",
        "The country: narrow roads, dry grass",
        "1. France\n2. Spain\n(45.1, 3.2)",
        "1. France 2. Spain",
        "Countries: France, Spain",
        "Candidate countries: France",
        "Country: France or Spain",
        "Country: unclear, maybe France or Belgium",
        "Country: France/Belgium",
        "Country: France, Spain",
        "Country: France (or Belgium)",
        "Country: France?",
        "Country: unknown",
        "Country: N/A",
        "Country: NA",
        "Country: n.a.",
        "Location: NA, NA",
        "Country: none",
        "Country: not visible",
        "Country: <country name>",
        "Country: [Country]",
        "Country: country name or null",
        "Country: ...",
        "City: <city name>\nRegion: <state/province/region name>\nCountry: <country name>",
        '{"city": "city name or null", "state": "state/province or null"}',
        '{"country": null, "city": "", "region": "Unknown"}',
        '{"country": "NA", "region": "NA", "city": "na"}',
        '{"country": "N/A", "country_code": "NA"}',
        "Country: The signs are in French, which suggests France",
        "State of the road: Poor",
        "State: Poor condition of the asphalt",
        "Region: Southeast Asia",
        "Region: Northern Spain",
        "Region: Northeast",
        "Region: Midwest",
        "City: Outskirts of Nairobi",
        "City: Lyon Metro Area",
        "Region: Mountainous",
        "City: small town",
        "City: Small town",
        "City: Rural area",
        "City: near Lyon",
        "Location: near France",
        "Location: outside Spain",
        "Location: near Near Lyon, near France",
        "Region: The hills suggest Tuscany, Italy",
        "City: Lyon or Grenoble",
        "| Country | Likelihood |\n|---|---|\n| France | 60 % |\n| Spain | 40 % |",
        "| Country | Region | City |\n|---|---|---|",
        "Option 1\nCountry: France\n\nOption 2\nCountry: Spain\n",
        "Country: France\nLatitude: 45.1\nLongitude: 3.2\n\nCountry: Spain\n\n\\boxed{45.1, 3.2}",
        "<think>Country: France</think> I cannot tell.",
        "<think>Country: France",
        "<answer>\\boxed{45.76, 4.83}</answer>",
        "<answer>Paris</answer>",
        "<answer>France, Spain</answer>",
        "<answer>I think it is in the south of France</answer>",
        "France, Spain, Italy (45.1, 3.2)",
        "It is 2 km from Paris, France, I think.",
        "As in many towns of Europe, France has signs in blue (45.1, 3.2)",
        "I cannot determine where it is.",
        f"City: {'Lyon ' * 30}",
        "City: " + "x" * 300,
    ],
)
def test_what_is_not_surely_a_place_is_none(response: str) -> None:
    assert words_of(response) == (None, None, None)


def test_a_response_that_was_cut_says_only_what_its_whole_answer_says() -> None:
    """What a cut response says outside of an answer may be a thought."""
    cut = parse_answer("Country: France\n<answer>\\boxed{45.1, 3.2}</answer>", cut=True)
    assert cut.lat == 45.1
    assert cut.stated.country is None
    whole = parse_answer("Spain? <answer>Lyon, France\n45.1, 3.2</answer>", cut=True)
    assert whole.stated.country == "France"
    assert parse_answer("Country: France", cut=True).stated.country is None


def test_words_are_kept_without_coordinates() -> None:
    answer = parse_answer("<answer>\ncountry: France\ncity: Lyon\n</answer>")
    assert (answer.failure, answer.stated.city) == ("no_coordinates", "Lyon")


@pytest.mark.parametrize("name", ["Türkiye", "U.S.A.", "the Netherlands", "Côte d’Ivoire", "中国"])
def test_names_are_compared_without_case_accents_and_points(name: str) -> None:
    assert is_country(name)
    assert not is_region(name)


def test_every_country_that_points_lie_in_is_known_by_its_english_name() -> None:
    """Otherwise "Lyon, France" would be read and a place in that country would not."""
    codes = [first + second for first in ascii_uppercase for second in ascii_uppercase]
    names = {code: country_name(code) for code in codes if country_name(code) != code}
    assert len(names) > 240
    without_towns = {"BQ", "BV", "GS", "HM", "IO", "TF", "UM", "CS", "AN"}
    unknown = {code for code, name in names.items() if not is_country(name)}
    assert unknown <= without_towns


@given(st.lists(PLACES, max_size=40).map("".join))
def test_words_are_short_clean_and_never_raise(response: str) -> None:
    """Whatever stands around them, names are of one line and bounded, and markup is gone."""
    for word in words_of(response):
        if word is not None:
            assert 0 < len(word) <= MAX_LENGTH
            assert word == " ".join(word.split())
            assert not set(word) & set('*"{}<>\\')


@pytest.mark.parametrize(
    ("response", "country", "city"),
    [
        ('{"country": ["France"], "lat": 45.76, "lon": 4.84}', "France", None),
        (
            '{"country": {"name": "France", "code": "FR"}, "lat": 45.76, "lon": 4.84}',
            "France",
            None,
        ),
        (
            '{"city": {"name": "Lyon", "lat": 45.76, "lon": 4.84}, "country": ["France"]}',
            "France",
            "Lyon",
        ),
        ('{"country": ["France", "Italy"], "lat": 45.76, "lon": 4.84}', None, None),
    ],
)
def test_a_place_in_an_array_of_one_or_in_an_object_with_its_name_is_read(
    response: str, country: str | None, city: str | None
) -> None:
    answer = parse_answer(response)
    assert (answer.stated.country, answer.stated.city) == (country, city)
    assert (answer.lat, answer.lon) == (45.76, 4.84)


def test_a_territory_before_its_state_is_what_the_gazetteer_takes_for_one() -> None:
    """The parser stands alone in the rewards of exports, so it has a list of its own."""
    names = {
        code: country_name(code)
        for code in (first + second for first in ascii_uppercase for second in ascii_uppercase)
        if is_country(country_name(code))
    }
    states = {state: country_name(state).removeprefix("The ") for state in TERRITORIES}
    pairs = [(code, state) for code in names for state in states if code != state]
    assert {pair for pair in pairs if belongs_to(*pair)} == {
        (code, state) for code, state in pairs if is_of_state(names[code], states[state])
    }

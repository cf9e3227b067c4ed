"""What people write for first-order regions besides the names that GeoNames and ISO 3166-2 have."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

REGION_VARIANTS: Mapping[str, str] = MappingProxyType(
    {
        # Cuando Cubango is two provinces now.
        "AO.04": "Cuando Cubango|Kuando Kubango|Cuando|Cubango",
        # The city; the province around it has the same name.
        "AR.07": "Buenos Aires|CABA",
        "AU.02": "NSW",
        "AU.03": "NT",
        "AU.04": "QLD",
        "AU.05": "SA",
        "AU.06": "TAS",
        "AU.07": "VIC",
        "AU.08": "WA",
        "BE.BRU": "Brussels|Bruxelles|Brüssel|Brussels Region",
        "CA.01": "AB",
        "CA.02": "BC|B.C.",
        "CA.03": "MB",
        "CA.04": "NB",
        "CA.05": "NL|Newfoundland",
        "CA.07": "NS",
        "CA.08": "ON",
        "CA.09": "PE|PEI",
        "CA.10": "QC|Québec",
        "CA.11": "SK",
        "CA.12": "YT",
        "CA.13": "NT|NWT",
        "CA.14": "NU",
        "DE.07": "NRW",
        "EH.CE": "Dakhla-Oued Ed-Dahab|Oued Ed-Dahab-Lagouira",
        "ET.28": "Amhara",
        "HU.19": "Csongrád|Csongrád-Csanád",
        # The provinces of before 2013.
        "KE.03": "Eastern|Marsabit",
        "KE.08": "Rift Valley",
        "MX.09": "CDMX|D.F.|Distrito Federal|Federal District",
        "PH.NCR": "Metro Manila|Metropolitan Manila|NCR|Manila|Kalakhang Maynila",
        "RU.06": "Arkhangelsk",
        "RU.11": "Buryatia",
        "RU.19": "Ingushetia",
        "RU.22": "Kabardino-Balkaria",
        "RU.24": "Kalmykia",
        "RU.27": "Karachay-Cherkessia",
        "RU.31": "Khakassia",
        "RU.32": "Khanty-Mansi Autonomous Okrug|Yugra",
        "RU.42": "Leningrad Oblast",
        "RU.45": "Mari El",
        "RU.46": "Mordovia",
        "RU.49": "Murmansk Oblast",
        "RU.59": "Primorsky Krai|Primorskii Krai|Primorski Krai",
        "RU.61": "Rostov Oblast",
        "RU.63": "Yakutia|Sakha Republic|Sakha (Yakutia)",
        "RU.66": "Saint Petersburg",
        "RU.68": "North Ossetia|North Ossetia-Alania",
        "RU.70": "Stavropol Krai",
        "RU.79": "Tuva",
        "RU.80": "Udmurtia",
        "RU.93": "Zabaykalsky Krai|Transbaikal|Zabaikalsky Krai",
        "VN.29": "Quảng Nam|Đà Nẵng",
    }
)
"""Besides the names of the data, between bars, by GeoNames' code."""

CITY_STATES = frozenset(("HK", "MO", "SG"))
"""Countries of one city that have regions: the country's name is right as that of any of them."""

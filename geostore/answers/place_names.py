"""Names that show what an unlabelled word of a place is: "Paris, France" names a country last.

Only the parser needs them, to tell a place from other words. They say nothing of where a place
lies, and what is kept of an answer are the teacher's own words. A name of a region that is a city's
name as well (New York, Kyoto) is left out, because alone it does not show which of them is meant.

Source of the countries: the names of ISO 3166-1 and of GeoNames, and what models write for them.
Each has its code in `places`, which a test holds. The longer list there says which country a word
means that stands for one, and holds names of cities too: Trinidad, Santa Helena, Gaza.
"""

import unicodedata

COUNTRIES = """
Afghanistan|Aland Islands|Albania|Algeria|American Samoa|Andorra|Angola|Anguilla|Antarctica
Antigua and Barbuda|Argentina|Armenia|Aruba|Australia|Austria|Azerbaijan|Bahamas|Bahrain|Bangladesh
Barbados|Belarus|Belgium|Belize|Benin|Bermuda|Bhutan|Bolivia|Bosnia|Bosnia and Herzegovina
Bosnia-Herzegovina|Bosnia & Herzegovina|Botswana|Brazil|British Virgin Islands|Brunei
Brunei Darussalam|Bulgaria|Burkina Faso|Burma|Burundi|Cabo Verde|Cambodia|Cameroon|Canada
Cape Verde|Cayman Islands|Central African Republic|Chad|Chile|China|Christmas Island|Cocos Islands
Colombia|Comoros|Congo|Congo-Brazzaville|Congo-Kinshasa|Cook Islands|Costa Rica|Cote d'Ivoire
Croatia|Cuba|Curacao|Cyprus|Czech Republic|Czechia|DR Congo|DRC|Democratic Republic of Congo
Democratic Republic of the Congo|Denmark|Djibouti|Dominica|Dominican Republic|East Timor|Ecuador
Egypt|El Salvador|England|Equatorial Guinea|Eritrea|Estonia|Eswatini|Ethiopia|Falkland Islands
Faroe Islands|Federated States of Micronesia|Fiji|Finland|France|French Guiana|French Polynesia
Gabon|Gambia|Georgia|Germany|Ghana|Gibraltar|Great Britain|Greece|Greenland|Grenada|Guadeloupe|Guam
Guatemala|Guernsey|Guinea|Guinea-Bissau|Guyana|Haiti|Holland|Honduras|Hong Kong|Hong Kong SAR
Hungary|Iceland|India|Indonesia|Iran|Iraq|Ireland|Isle of Man|Israel|Italy|Ivory Coast|Jamaica
Japan|Jersey|Jordan|Kazakhstan|Kenya|Kiribati|Korea|Kosovo|Kuwait|Kyrgyz Republic|Kyrgyzstan|Laos
Latvia|Lebanon|Lesotho|Liberia|Libya|Liechtenstein|Lithuania|Luxembourg|Macao|Macau|Madagascar
Mainland China|Malawi|Malaysia|Maldives|Mali|Malta|Marshall Islands|Martinique|Mauritania|Mauritius
Mayotte|Mexico|Micronesia|Moldova|Monaco|Mongolia|Montenegro|Montserrat|Morocco|Mozambique|Myanmar
Namibia|Nauru|Nepal|Netherlands|New Caledonia|New Zealand|Nicaragua|Niger|Nigeria|Niue
Norfolk Island|North Korea|North Macedonia|Northern Ireland|Northern Mariana Islands|Norway|Oman
Pakistan|Palau|Palestine|Palestinian Territories|Palestinian Territory|Panama|Papua New Guinea
Paraguay|People's Republic of China|Peru|Philippines|Pitcairn|Pitcairn Islands|Poland|Portugal|PRC
Puerto Rico|Qatar|Republic of China|Republic of Congo|Republic of Ireland|Republic of Korea
Republic of the Congo|Reunion|Romania|Russia|Russian Federation|Rwanda|Saint Barthelemy
Saint Helena|Saint Kitts and Nevis|Saint Lucia|Saint Martin|Saint Pierre and Miquelon
Saint Vincent and the Grenadines|Samoa|San Marino|Sao Tome and Principe|Saudi Arabia|Scotland
Senegal|Serbia|Seychelles|Sierra Leone|Singapore|Sint Maarten|Slovak Republic|Slovakia|Slovenia
Solomon Islands|Somalia|Somaliland|South Africa|South Georgia|South Korea|South Sudan|Spain
Sri Lanka|St Helena|St Kitts and Nevis|St Lucia|St Vincent and the Grenadines|State of Palestine
Sudan|Suriname|Svalbard|Svalbard and Jan Mayen|Swaziland|Sweden|Switzerland|Syria|Taiwan|Tajikistan
Tanzania|Thailand|Timor-Leste|Timor Leste|Togo|Tokelau|Tonga|Trinidad and Tobago|Tunisia|Turkey
Turkiye|Turkmenistan|Turks and Caicos|Turks and Caicos Islands|Tuvalu|U.S. Virgin Islands|UAE|UK
US|USA|United States Virgin Islands|Uganda|Ukraine|United Arab Emirates|United Kingdom
United States|United States of America|Uruguay|Uzbekistan|Vanuatu|Vatican|Vatican City|Venezuela
Viet Nam|Vietnam|Virgin Islands|Wales|Wallis and Futuna|Western Sahara|Yemen|Zambia|Zimbabwe
Allemagne|Autriche|Belgique|Bresil|Chine|Coree du Sud|Espagne|Etats-Unis|Grece|Italie|Japon|Maroc
Mexique|Norvege|Pays-Bas|Pologne|Royaume-Uni|Russie|Suisse|Suede|Turquie|Algerie|Tunisie|Perou|Inde
Alemania|Argelia|Belgica|Brasil|Corea del Sur|Dinamarca|Espana|Estados Unidos|Francia|Grecia
Irlanda|Islandia|Italia|Marruecos|Noruega|Paises Bajos|Polonia|Reino Unido|Rumania|Rusia
Sudafrica|Suecia|Suiza|Turquia|Alemanha|Franca|Espanha|Japao|Africa do Sul|Argentinien|Belgien
Brasilien|Danemark|Deutschland|Frankreich|Griechenland|Grossbritannien|Großbritannien|Indien|Italien
Kroatien|Mexiko|Niederlande|Norwegen|Osterreich|Polen|Russland|Schweden|Schweiz|Spanien|Sudafrika
Sudkorea|Tschechien|Turkei|Ungarn|Vereinigte Staaten|Vereinigtes Konigreich
Россия|Украина|Казахстан|Беларусь|Грузия|Германия|Франция|Испания|Италия|Польша|Китай|Япония|США
Турция|Болгария|Сербия|Монголия
中国|中国大陆|中国香港|中国澳门|中国台湾|中华人民共和国|中國|香港|澳门|澳門|台湾|台灣|臺灣
日本|韩国|韓國|朝鲜|北朝鲜|蒙古|蒙古国|越南|老挝|柬埔寨|泰国|泰國|缅甸|马来西亚|馬來西亞|新加坡
印度尼西亚|印尼|菲律宾
菲律賓|文莱|东帝汶|印度|巴基斯坦|孟加拉国|孟加拉|尼泊尔|不丹|斯里兰卡|马尔代夫|阿富汗|哈萨克斯坦
乌兹别克斯坦
吉尔吉斯斯坦|塔吉克斯坦|土库曼斯坦|伊朗|伊拉克|叙利亚|黎巴嫩|以色列|巴勒斯坦|约旦|沙特阿拉伯|沙特
也门|阿曼|阿联酋
阿拉伯联合酋长国|卡塔尔|巴林|科威特|土耳其|塞浦路斯|格鲁吉亚|亚美尼亚|阿塞拜疆|俄罗斯|俄羅斯
乌克兰|白俄罗斯|摩尔多瓦
立陶宛|拉脱维亚|爱沙尼亚|芬兰|瑞典|挪威|丹麦|冰岛|英国|英國|爱尔兰|法国|法國|德国|德國|荷兰|荷蘭
比利时|卢森堡|瑞士
奥地利|意大利|西班牙|葡萄牙|安道尔|摩纳哥|圣马力诺|梵蒂冈|马耳他|希腊|希臘|阿尔巴尼亚|北马其顿
马其顿|保加利亚|罗马尼亚
塞尔维亚|黑山|波黑|波斯尼亚和黑塞哥维那|克罗地亚|斯洛文尼亚|斯洛伐克|匈牙利|波兰|捷克|捷克共和国
科索沃|列支敦士登|埃及
利比亚|突尼斯|阿尔及利亚|摩洛哥|苏丹|南苏丹|埃塞俄比亚|厄立特里亚|索马里|吉布提|肯尼亚|坦桑尼亚
乌干达|卢旺达|布隆迪
刚果|刚果（金）|刚果民主共和国|刚果共和国|喀麦隆|加蓬|乍得|中非|尼日尔|尼日利亚|贝宁|多哥|加纳
科特迪瓦|利比里亚|塞拉利昂
几内亚|几内亚比绍|塞内加尔|冈比亚|马里|布基纳法索|毛里塔尼亚|佛得角|安哥拉|赞比亚|津巴布韦|马拉维
莫桑比克|纳米比亚
博茨瓦纳|南非|莱索托|斯威士兰|马达加斯加|毛里求斯|塞舌尔|留尼汪|美国|美國|加拿大|墨西哥|危地马拉
伯利兹|萨尔瓦多|洪都拉斯
尼加拉瓜|哥斯达黎加|巴拿马|古巴|牙买加|海地|多米尼加|多米尼加共和国|波多黎各|特立尼达和多巴哥
巴巴多斯|巴哈马|哥伦比亚
委内瑞拉|圭亚那|苏里南|厄瓜多尔|秘鲁|玻利维亚|巴西|巴拉圭|乌拉圭|阿根廷|智利|澳大利亚|澳洲|新西兰
紐西蘭|斐济
巴布亚新几内亚|所罗门群岛|瓦努阿图|萨摩亚|汤加|帕劳|关岛|格陵兰|法罗群岛|アメリカ|フランス|ドイツ
イタリア|スペイン
イギリス|대한민국|한국|일본|중국|미국
"""
"""Names of countries and of territories with a code of their own, between bars and in lines."""

_REGIONS = """
Alabama|Alaska|Arizona|Arkansas|California|Colorado|Connecticut|Delaware|Florida|Hawaii|Idaho
Illinois|Indiana|Iowa|Kansas|Kentucky|Louisiana|Maine|Maryland|Massachusetts|Michigan|Minnesota
Mississippi|Missouri|Montana|Nebraska|Nevada|New Hampshire|New Jersey|New Mexico|New York State
North Carolina|North Dakota|Ohio|Oregon|Pennsylvania|Rhode Island|South Carolina|South Dakota
Tennessee|Texas|Utah|Vermont|Virginia|Washington State|West Virginia|Wisconsin|Wyoming
Alberta|British Columbia|Manitoba|New Brunswick|Newfoundland|Newfoundland and Labrador|Nova Scotia
Nunavut|Ontario|Prince Edward Island|Saskatchewan|Yukon
New South Wales|Northern Territory|Queensland|South Australia|Tasmania|Western Australia
Baden-Württemberg|Bavaria|Bayern|Brandenburg|Hesse|Hessen|Lower Saxony
Mecklenburg-Vorpommern|Niedersachsen|North Rhine-Westphalia|Nordrhein-Westfalen|Rhineland-Palatinate
Rheinland-Pfalz|Saarland|Sachsen|Saxony|Saxony-Anhalt|Schleswig-Holstein|Thuringia|Thüringen
Auvergne-Rhône-Alpes|Bourgogne-Franche-Comté|Brittany|Bretagne|Burgundy|Centre-Val de Loire|Corsica
Corse|Grand Est|Hauts-de-France|Île-de-France|Normandy|Normandie|Nouvelle-Aquitaine|Occitanie
Occitania|Pays de la Loire|Provence|Provence-Alpes-Côte d'Azur|Alsace|Abruzzo|Apulia|Puglia
Basilicata|Calabria|Campania|Emilia-Romagna|Friuli-Venezia Giulia|Lazio|Liguria|Lombardy|Lombardia
Marche|Molise|Piedmont|Piemonte|Sardinia|Sardegna|Sicily|Sicilia|South Tyrol|Toscana
Trentino-Alto Adige|Trentino-South Tyrol|Tuscany|Umbria|Aosta Valley|Veneto|Andalusia|Andalucía
Aragon|Asturias|Balearic Islands|Basque Country|Canary Islands|Cantabria|Castile and León
Castilla y León|Castilla-La Mancha|Catalonia|Cataluña|Extremadura|Galicia|La Rioja|Navarre|Navarra
Alentejo|Algarve|Azores|Madeira|Carinthia|Lower Austria|Styria|Tyrol|Tirol|Upper Austria|Vorarlberg
Flanders|Wallonia|Friesland|Gelderland|North Brabant|North Holland|South Holland|Zeeland
Crete|Peloponnese|Thessaly|Epirus|Transylvania|Dalmatia|Istria|Bohemia|Moravia|Lapland
Cornwall|Cumbria|Devon|Dorset|Essex|Kent|Norfolk|Northumberland|Somerset|Suffolk|Surrey|Sussex
East Sussex|West Sussex|Greater London|Greater Manchester|West Yorkshire|North Yorkshire|Yorkshire
Scottish Highlands|Aichi|Hokkaido|Hokkaidō|Hyogo|Hyōgo|Ibaraki|Ishikawa|Iwate|Kagawa|Kanagawa|Mie
Okinawa|Shimane|Tochigi|Anhui|Fujian|Gansu|Guangdong|Guangxi|Guizhou|Hainan|Hebei|Heilongjiang|Henan
Hubei|Hunan|Inner Mongolia|Jiangsu|Jiangxi|Liaoning|Ningxia|Qinghai|Shaanxi|Shandong|Shanxi|Sichuan
Tibet|Xinjiang|Yunnan|Zhejiang|Andhra Pradesh|Arunachal Pradesh|Assam|Bihar|Chhattisgarh|Goa|Gujarat
Haryana|Himachal Pradesh|Jharkhand|Karnataka|Kerala|Ladakh|Madhya Pradesh|Maharashtra|Manipur
Meghalaya|Mizoram|Nagaland|Odisha|Punjab|Rajasthan|Sikkim|Tamil Nadu|Telangana|Tripura
Uttar Pradesh|Uttarakhand|West Bengal|Acre|Alagoas|Amazonas|Bahia|Ceará|Espírito Santo|Goiás
Maranhão|Mato Grosso|Mato Grosso do Sul|Minas Gerais|Pará|Paraíba|Paraná|Pernambuco|Piauí
Rio Grande do Norte|Rio Grande do Sul|Rondônia|Roraima|Santa Catarina|Sergipe|Tocantins
Baja California|Baja California Sur|Chiapas|Coahuila|Jalisco|Michoacán|Nayarit|Nuevo León
Quintana Roo|Sinaloa|Sonora|Tamaulipas|Yucatán|Chubut|Entre Ríos|Misiones|Neuquén|Patagonia
Río Negro|Tierra del Fuego|Antioquia
Eastern Cape|Free State|Gauteng|KwaZulu-Natal|Limpopo|Mpumalanga|North West Province|Northern Cape
Western Cape|Bali|Central Java|East Java|West Java|Java|Sumatra|West Sumatra|North Sumatra|Sulawesi
Sabah|Sarawak|Selangor|Penang|Luzon|Mindanao|Palawan|Cebu Province|Siberia|Crimea|Kamchatka
Hawke's Bay|Otago|Waikato|Taranaki|Southland|Marlborough
"""
_STATE_CODES = """
AL|AK|AZ|AR|CA|CO|CT|DE|FL|GA|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|NH|NJ|NM|NY|NC
ND|OH|OK|OR|PA|RI|SC|SD|TN|TX|UT|VT|VA|WA|WV|WI|WY|DC|AB|BC|MB|NB|NL|NS|ON|PE|QC|SK|NSW|QLD|VIC|TAS
"""
"""Of the United States, Canada and Australia, as they stand behind a city's name."""

TERRITORIES = {
    "Australia": "Christmas Island|Cocos Islands|Norfolk Island",
    "China|PRC|People's Republic of China|中国|中國": (
        "Hong Kong|Hong Kong SAR|Macao|Macau|Taiwan|香港|澳门|澳門|台湾|台灣|臺灣"
    ),
    "Denmark|Danemark|Dinamarca|丹麦": "Faroe Islands|Greenland|法罗群岛|格陵兰",
    "Finland|芬兰": "Aland Islands",
    "France|Frankreich|Francia|Franca|法国|法國": (
        "French Guiana|French Polynesia|Guadeloupe|Martinique|Mayotte|New Caledonia|Reunion"
        "|Saint Barthelemy|Saint Martin|Saint Pierre and Miquelon|Wallis and Futuna|留尼汪"
    ),
    "Great Britain|UK|United Kingdom|英国|英國": (
        "Anguilla|Bermuda|British Virgin Islands|Cayman Islands|Falkland Islands|Gibraltar|Guernsey"
        "|Isle of Man|Jersey|Montserrat|Pitcairn|Pitcairn Islands|Saint Helena|South Georgia"
        "|St Helena|Turks and Caicos|Turks and Caicos Islands"
    ),
    "Morocco|Maroc|Marruecos": "Western Sahara",
    "Netherlands|Holland|Niederlande|Pays-Bas|荷兰|荷蘭": "Aruba|Curacao|Sint Maarten",
    "New Zealand|新西兰|紐西蘭": "Cook Islands|Niue|Tokelau",
    "Norway|Norvege|Norwegen|Noruega|挪威": "Svalbard|Svalbard and Jan Mayen",
    "Serbia|塞尔维亚": "Kosovo|科索沃",
    "US|USA|United States|United States of America|美国|美國": (
        "American Samoa|Guam|Northern Mariana Islands|Puerto Rico|U.S. Virgin Islands"
        "|United States Virgin Islands|关岛|波多黎各"
    ),
}
"""Of the countries above, those that stand before the name of their state: Réunion, France."""

COUNTRY_OR_REGION = "georgia"
"""The key of the one name that a country and a well-known region share."""


def name_key(words: str) -> str:
    """What is compared of a name: no case, accents, points, or article before it."""
    if not words.isascii():
        letters = unicodedata.normalize("NFKD", words.replace("’", "'"))
        words = "".join(letter for letter in letters if not unicodedata.combining(letter))
    key = words.replace(".", "").casefold()
    return key[4:] if key.startswith("the ") else key


def _keys(names: str) -> frozenset[str]:
    return frozenset(name_key(name) for line in names.split("\n") for name in line.split("|"))


_CODES = frozenset(_STATE_CODES.replace("\n", "|").split("|"))
_COUNTRY_KEYS = _keys(COUNTRIES) - {""}
_REGION_KEYS = _keys(_REGIONS) - {""}
_TERRITORY_KEYS = {
    state: _keys(names) for states, names in TERRITORIES.items() for state in _keys(states)
}


def is_country(words: str) -> bool:
    """Whether the words are a country's name, or that of a territory with a code of its own."""
    return name_key(words) in _COUNTRY_KEYS


def is_region(words: str) -> bool:
    """Whether the words are the name of a first-level region that is no city's name."""
    return words in _CODES or name_key(words) in _REGION_KEYS


def is_of_state(territory: str, state: str) -> bool:
    """Whether two names are a territory with a code of its own and its state: Réunion, France."""
    return name_key(territory) in _TERRITORY_KEYS.get(name_key(state), ())

"""Tell whether words name or guess a place, so that a doubt beside them is no refusal.

A guess is a hedge with a name behind it ("but it looks like Bavaria") or a plain statement ("the
city is Colmar"). A hedge alone is none ("however, you could try another photo"), and neither is a
name that is no place: a language, a month, a tool, a make of car.
"""

import re

from geostore.answers.refusal_words import any_of, either

_HEDGES = r"""likely probably possibly perhaps presumably maybe appears? seems? looks?_like
    suggest\w* could_be might_be may_be guess\w* estimate believe think lean\w* consistent_with
    typical resembl\w+ indicat\w+ points?_to but though however"""
_STRAIGHT = r"""suggest\w* guess likely probably possibly perhaps maybe presumably indicat\w+
    points?_to look(?:s|ed|ing)?_like resembl\w+ typical_(?:of|for) could_be might_be may_be"""
"""Those with which a name may follow at once."""

_LANGUAGES = """English Spanish French German Portuguese Italian Russian Arabic Chinese Japanese
    Korean Dutch Polish Turkish Greek Hebrew Hindi Thai Vietnamese Swedish Danish Norwegian Finnish
    Latin Cyrillic Mandarin Cantonese Deutsch Englisch Französisch Spanisch Français Anglais Español
    Inglés"""
_NO_PLACES = """Google Street Maps? View Lens Earth GPS EXIF Exif AI OpenAI ChatGPT Gemini Claude
    Qwen TinEye Yandex Bing Instagram Facebook Flickr Pinterest Reddit Twitter YouTube TikTok
    Wikipedia Wikimedia Commons Mapillary GeoGuessr Shutterstock Getty Photoshop Image Photo
    Picture Coordinates? Latitude Longitude Country City
    Mondays? Tuesdays? Wednesdays? Thursdays? Fridays? Saturdays? Sundays? January February March
    April May June July August September October November December Summer Winter Autumn Spring
    Christmas Easter Januar Februar März Mai Juni Juli Oktober Dezember
    Toyota Ford Honda Hyundai Kia Suzuki Nissan Mazda Mitsubishi Isuzu Subaru Lexus Tata Mahindra
    Volkswagen Renault Peugeot Citro[eë]n Fiat Skoda Škoda Dacia Opel Audi Mercedes Volvo Chevrolet
    Jeep Lada Tesla Coca Pepsi Starbucks McDonald Shell
    The This It If Please However Without There That Unfortunately Sorry You Your What Where When
    Unable Unknown Unclear Undetermined Undisclosed Unspecified Cannot Can Not None Nothing
    Insufficient Private Confidential Impossible Indeterminate Withheld Hidden Redacted Available"""
"""Words with a capital that name no place."""

_CONDITIONS = re.compile(
    r"(?<![^\W\d_])(?:if|whether|unless|si|falls|wenn|ob|se|если)(?![^\W\d_])[^.,;:!?\n]*",
    re.IGNORECASE,
)
"""What a place would need, or a choice that is left open: no statement."""

_CAPITALS = "A-ZÀ-ÖØ-ÞŁŚŠŽŻŹČĆĐİА-ЯЁ"
_LETTER = r"[^\W\d_]"


def guesses_place(text: str) -> bool:
    """Whether a text names a place or guesses one, however unsure.

    text: with ASCII dashes and quotes; the sentences of a response, one a line.
    """
    text = _CONDITIONS.sub("", text)
    patterns = [_ENGLISH, _EUROPEAN] if text.isascii() else [_ENGLISH, _EUROPEAN, _OTHER]
    return any(pattern.search(text) for pattern in patterns)


_NOT_NO_PLACE = (
    rf"(?!{any_of(_NO_PLACES)}\b)"
    # "a Spanish village" is in Spain; "in Spanish" is a language
    rf"(?!{any_of(_LANGUAGES)}\b"
    r"(?! (?:town|city|village|countryside|coast|region|island|state|province|suburb)))"
)
_NAME = rf"{_NOT_NO_PLACE}(?:[{_CAPITALS}]{_LETTER}{{2,}}|U\.?K\b|U\.?S\b|U\.S\.A|UAE\b)"
"""A word with a capital that may name a place; in texts with no capitals behind it."""


_ENGLISH = re.compile(
    either(
        (
            rf"\b(?i:{any_of(_HEDGES)})\b[^.!?\n]{{0,60}}?\b(?:in|from|near|of|to|be|is|like)"
            rf" (?:{_NOT_NO_PLACE}\w+ ){{0,2}}?{_NAME}",
            rf"\b(?i:{any_of(_STRAIGHT)}):? (?:the )?{_NAME}",
            r"\b(?i:(?:best|educated|rough|closest|final) guess (?:is|would be|:))",
            rf"(?m:^\W{{0,4}}(?i:country|city|place|location)\s?: ?{_NAME})",
            # plain statements
            r"\b(?i:taken|shot|captured|photographed|located|somewhere|situated|set) (?:in|at|near)"
            rf" (?:the )?(?:{_NOT_NO_PLACE}\w+ )?{_NAME}",
            r"\b(?i:the|this|a) (?:city|country|town|village|place|region|location|state|area|site"
            r"|photo|image|picture|scene|landscape|spot|street|setting) is (?:in |near |from )?"
            rf"(?:the )?{_NAME}",
            rf"\b(?i:this is|it is|that is|it's|that's) (?:in |near )?(?:the )?{_NAME}",
            r"\b(?i:this is|it is|that is|it's|that's) an? (?:[\w-]+ ){1,4}?(?:in|near) "
            rf"(?:the )?{_NAME}",
        )
    )
)

_BEFORE_NAME = (
    r"(?:en|à|a|in|em|no|na|auf|aus|bei|de|di|da|du|des|la|el|le|les|los|l'|d'|en el|in der"
    r"|dans le|au|aux|в|из|на|г\.|город[еа]?)"
)
_TO_NAME = rf"(?:{_BEFORE_NAME} ?){{0,2}}{_NAME}"
_EUROPEAN = re.compile(
    either(
        (
            # Its nouns have capitals too, so the name follows at once or "in".
            r"\b(?i:vermutlich|wahrscheinlich|möglicherweise|vielleicht)(?: um| ist es| es)?"
            rf" (?:in |aus |bei |im )?{_NAME}",
            rf"\b(?i:ich (?:tippe|schätze)|deutet (?:\w+ ){{0,3}}) ?(?:auf |an )?{_NAME}",
            r"(?<!\w)(?i:probablement|je dirais|sans doute|semble|peut-être|ressemble"
            r"|probablemente|posiblemente|quizás?|tal vez|diría|parece"
            r"|provavelmente|possivelmente|talvez|diria"
            r"|probabilmente|forse|direi|sembra"
            r"|вероятно|возможно|скорее всего|наверное|предположительно|похоже)(?!\w)"
            rf"[^.!?\n]{{0,50}}?[ '](?:{_NAME})",
            # plain statements
            rf"(?i:il s'agit|c'est) {_TO_NAME}",
            r"(?:^|[\n.!?,;:] ?|(?:ciudad|ville|stadt|cidade|città|lugar|lieu|ort|luogo|país|pays"
            r"|land|país|paese|город|место|страна) )(?i:es|está|est|das ist|dies ist|ist|è|é|это|-)"
            rf" {_TO_NAME}",
            r"\b(?:tomad[ao]|ubicad[ao]|prise?|situé?e?|aufgenommen|tirad[ao]|scattat[ao]|снят[оа]?"
            rf"|сделан[оа]?) {_BEFORE_NAME} ?{_NAME}",
            rf"\bin {_NAME} (?:aufgenommen|entstanden)",
        )
    )
)

_HAN = "一-鿿"
_NO_HAN = "(?![哪何什不未无無一谁保图圖私这這该該因由否太很没沒]|为了|模糊|非常)"
_NO_KANA = "(?!不|困難|残念|無|難|可能|申|以上|幸|どこ|何|お|ご|特定|秘密|非公開)"
_OTHER = re.compile(
    either(
        (
            r"(?<!不)(?:可能|大概|也许|應該|应该|推测|推測|估计|估計|猜测|猜測|看起来|看起來)"
            rf"[^。，\n]{{0,10}}(?:是|在|位于|位於|来自|來自){_NO_HAN}[{_HAN}]{{2}}",
            r"(?:城市|国家|國家|这里|這裡|這裏|此处|地点|地點|位置|照片|拍摄地|拍攝地)"
            rf"(?:就是|是|为|為|在|拍摄于|拍攝於|位于|位於){_NO_HAN}[{_HAN}]{{2}}",
            r"(?:おそらく|たぶん)(?![^。\n]{0,30}(?:れば|たら|なら|から|ため))",
            rf"[{_HAN}ァ-ヶー]{{2}}(?:周辺|付近|郊外)?(?:である|の)?(?<!加工)"
            r"(?:可能性が高い|だと思|と思われ|と推測され)",
            rf"[{_HAN}ァ-ヶー]{{2}}(?<!可能)(?<!困難)(?<!不明)(?<!無理)でしょう",
            rf"(?:が、|場所は|都市は|国は|ここは|これは|町は){_NO_KANA}[{_HAN}ァ-ヶー]{{2,12}}です",
            r"아마(?:도)?(?![^.\n]{0,30}면[ ,])",
            r"[가-힣]{2,}(?<!어려울)(?<!어려운)(?<!없을)(?<!없는)(?:인|일) 것",
            r"[가-힣]{2,}(?:으로|로) (?:보입|추정)",
            r"[가-힣]{2,}에서? [^.\n]{0,16}것(?:으로| 같)",
            r"(?:장소|도시|국가|나라|위치|여기|이곳)(?:는|은) (?!어디|알 수|확인|불)"
            r"[가-힣]{2,}(?:입니다|이다|예요|이에요)",
            r"(?:ربما|على الأرجح|من المحتمل|يبدو أن|قد يكون|أعتقد)"
            r"(?![^.،\n]{0,12}(?:إذا|لو|يمكنك|تحتاج))",
            r"(?:^|[\n.،] ?)(?:هذه|هذا|إنها|المدينة|الدولة|البلد)(?: هي| هو)?"
            r" (?!الصورة|المكان|الموقع|الطلب|السؤال)ال\w{3,}\s*(?:[.،,]|\Z|\n)",
            r"(?:शायद|संभवतः)(?![^।\n]{0,20}(?:अगर|यदि))",
            r"(?:น่าจะ|อาจจะ?|คาดว่า)(?:เป็น|อยู่|ถ่าย)",
        )
    )
)
"""Scripts without capitals: a hedge with what is no condition behind it, or a plain statement."""

"""The words with which teachers refuse, by language; `refusals` makes sentences of them.

Words are separated by blanks; an underscore stands for a blank inside one, and a word is a piece of
a regular expression. Source: the refusals of chat models to "where was this photo taken?".
"""

from collections.abc import Iterable
from dataclasses import dataclass


def any_of(words: str) -> str:
    """The pattern of one of some words, which are written as in this module."""
    return either(word.replace("_", " ") for word in words.split())


def either(patterns: Iterable[str]) -> str:
    """The pattern of one of some patterns."""
    return "(?:" + "|".join(f"(?:{pattern})" for pattern in patterns) + ")"


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one language, and the orders in which a refusal has them."""

    cannot: str
    """That it is not able or not willing."""
    locate: str
    """To find a place, or to name it; stems, where endings differ."""
    place: str
    """What is to be found. Not a sign, a plate or a text: trouble with those is no refusal."""
    helps: str
    """To help at all, or to do what was asked."""
    orders: tuple[str, ...]
    """Each of the names of these fields, with blanks between; other words may stand between."""
    hints: str
    """Plain text; every refusal has one of these, so a text without any is not searched."""
    gap: str = r"[^.!?]{0,60}?"
    """What may stand between two of them."""


_FRONT = ("cannot locate place", "place cannot locate", "cannot helps")
_CLAUSE = r"[^.!?,，;；、]{0,24}?"

LANGUAGES = (
    Words(  # Chinese
        cannot="""无法 無法 不能 没法 沒法 无从 無從 没办法 沒辦法 不便
            不可以 拒绝 拒絕 不足以 未能 不会 不會 难以 難以 很难 很難""",
        locate="""确定 確定 确认 確認 判断 判斷 识别 識別 提供 给出 給出 得出 定位 推断 推斷
            推测 推測 回答 辨认 辨認 辨别 辨別 知道 透露 告诉 告訴 估计 估計""",
        place="""位置 地点 地點 坐标 座標 坐標 经纬度 經緯度 地理 哪里 哪裡 哪儿 何处 何處
            拍摄地 拍攝地 国家 國家 地方 答案""",
        helps="""(?:帮|幫|协助|協助|满足|滿足|完成|处理|處理|回答|遵从|配合).{0,10}(?:请求|請求|要求|问题|問題|任务|任務|您|你)
            (?:帮助|幫助|协助|協助|帮忙|幫忙)""",
        hints="无 無 不 没 沒 未 拒 难 難",
        orders=(*_FRONT, "unknown place"),
        gap=_CLAUSE,
    ),
    Words(  # Japanese
        cannot="""できません できない できかねます
            出来ません 不可能 かねます わかりません 分かりません 添えません""",
        locate="特定 判断 判別 確定 推定 提供 伝え 答え 断定 示す 識別 割り出",
        place="場所 位置 座標 所在地 撮影地 緯度 経度 地点 どこ 国",
        helps="お?手伝い お力 お?答え お応え 対応 回答 ご要望 リクエスト",
        hints="ません ない できかね かねます 不可能 不明",
        orders=("place locate cannot", "helps cannot", "place unknown"),
        gap=r"[^。]{0,24}?",
    ),
    Words(  # Korean
        cannot=r"수\s?(?:가\s|는\s)?없 못\s?(?:하|합|했) 불가 어렵습니다",
        locate="확인 특정 파악 판단 식별 알 제공 알려 결정 추정 답변 말씀 찾 판별",
        place="위치 장소 좌표 위도 경도 어디 지역 국가 촬영지",
        helps="도와 도움 답변 요청",
        hints="없 못 불가 어렵 모르",
        orders=("place locate cannot", "helps cannot", "place unknown"),
        gap=r"[^.]{0,30}?",
    ),
    Words(  # German: the verb stands at the end
        cannot=r"""kann können konnte darf lässt_sich lassen_sich ließ_sich nicht_möglich
            unmöglich nicht_in_der_lage nicht_imstande""",
        locate="""bestimm ermittel identifizier nenn ang(?:eb|egeb) fest(?:ge)?stell sagen
            lokalisier geben ableit erkenn eingrenz zuordnen bereitstell mitteil verrat
            herausfind""",
        place=r"standort \borte?s?\b aufnahmeort koordinaten position \blage\b breitengrad \bwo\b",
        helps="helfen weiterhelfen unterstützen behilflich beantworten nachkommen erfüllen",
        hints="nicht kein unmöglich",
        orders=(
            *("cannot place not locate", "cannot not place locate", "cannot not locate place"),
            *("place cannot not locate", "cannot not helps", "never place locate", "unknown place"),
        ),
    ),
    Words(  # French
        cannot=r"""ne_(?:peux|peut|puis|pouvons|parviens|saurais)
            ne_suis_(?:pas_)?(?:en_mesure|capable|autorisé) n'arrive n'est_pas_possible
            (?:m')?est_impossible n'ai_pas_la_(?:capacité|possibilité) ne_(?:sais|connais)_pas
            n'a_pu_être n'ont_pu_être ne_peuvent""",
        locate="""détermin identifi localis fourni donn indiqu précis dire établi situer révél
            estim trouv ne_(?:sais|connais)_pas""",
        place=r"""\blieu endroit emplacement localisation position coordonnées \boù\b latitude
            \bpays\b \bville\b adresse""",
        helps="aider assister répondre donner_suite accéder_à traiter_cette satisfaire",
        hints="ne_ n' impossible",
        orders=(*_FRONT, "unknown place"),
    ),
    Words(  # Spanish
        cannot=r"""\bno_(?:puedo|podemos|podré|pude|puede|pueden|pudo|logro|consigo)
            \bno_(?:me_)?es_posible \bno_se_(?:puede|pueden|pudo) \bno_soy_capaz
            \bno_tengo_(?:la_capacidad|forma) \bno_estoy_en_condiciones imposible""",
        locate="""determin identific localiz ubic proporcion \\bdar indic precis ofrec decir
            estable facilit saber compart estim""",
        place=r"""ubicaci[óo]n lugar localizaci[óo]n coordenadas posici[óo]n d[óo]nde sitio
            pa[íi]s ciudad latitud direcci[óo]n""",
        helps="ayudar asistir responder cumplir atender procesar",
        hints="no_p no_l no_c no_m no_e no_s no_t imposible",
        orders=(*_FRONT, "unknown place"),
    ),
    Words(  # Portuguese
        cannot=r"""\bnão_(?:posso|podemos|consigo|conseguimos|pude|pode|podem|pôde)
            \bnão_(?:me_)?é_possível \bnão_sou_capaz \bnão_estou_apt[oa]
            \bnão_tenho_(?:a_capacidade|como) \bnão_se_pode impossível""",
        locate="""determin identific localiz fornec \\bdar indic precis dizer estabelec inform
            saber estim revelar compartilh""",
        place=r"""localiza[çc][ãa]o \blocal\b lugar coordenadas posi[çc][ãa]o \bonde\b pa[íi]s
            cidade latitude endere[çc]o""",
        helps="ajudar auxiliar responder atender cumprir processar",
        hints="não_ impossível",
        orders=(*_FRONT, "unknown place"),
    ),
    Words(  # Italian
        cannot=r"""\bnon_(?:posso|possiamo|riesco|può|possono) \bnon_(?:mi_)?è_possibile
            \bnon_sono_in_grado \bnon_sono_autorizzat[oa] \bnon_ho_modo impossibile""",
        locate="""determin identific localizz forni \\bdar indic precis \\bdire stabil individu
            saper stim""",
        place=r"posizione luogo località coordinate \bdove\b \bpaese\b città ubicazione latitudine",
        helps="aiut assist rispond soddisf elabor",
        hints="non_ impossibile",
        orders=(*_FRONT, "unknown place"),
    ),
    Words(  # Russian
        cannot="""не_(?:могу|можем|смог|смогу|удаётся|удается|удалось|способ|имею_возможности)
            не_в_состоянии не_представляется_возможным невозможно нельзя""",
        locate="""определи установи идентифици назва указа предостави сказа \\bдать сообщи
            распозна выясни оцени""",
        place=r"""местоположени местонахождени \bмест[оауе]\b координат локаци \bгде\b стран[ауы]
            город широт адрес""",
        helps="помочь ответить выполнить обработать",
        hints="не_ невозможно нельзя",
        orders=(*_FRONT, "locate place cannot", "unknown place"),
    ),
    Words(  # Arabic
        cannot=r"""لا_(?:أستطيع|يمكنني|يمكن|أقدر|يسعني|أعرف) لست_قادر\S* غير_قادر\S* يتعذر
            لم_أتمكن ليس_بإمكاني ليس_من_الممكن لن_أتمكن من_المستحيل يستحيل""",
        locate="تحديد معرفة التعرف تقديم إعطاء توفير تعيين تقدير",
        place="موقع مكان إحداثيات الإحداثيات أين البلد المدينة",
        helps="مساعد المساعد الإجابة تلبية تنفيذ",
        hints="لا_ لست غير يتعذر لم_ ليس لن_ يستحيل المستحيل",
        orders=(*_FRONT, "unknown place"),
    ),
    Words(  # Dutch
        cannot=r"\bkan\b \bkunnen\b",
        locate="bepalen vaststellen identificeren geven achterhalen zeggen",
        place=r"locatie plaats plek coördinaten positie \bwaar\b",
        helps="helpen beantwoorden",
        hints="niet",
        orders=("cannot place not locate", "cannot not locate place", "cannot not helps"),
    ),
    Words(  # Polish
        cannot="nie_(?:mogę|możemy|potrafię|można|da_się) nie_jestem_w_stanie",
        locate="określ ustal zidentyfik poda wskaz powiedzie",
        place="lokalizac miejsc współrzędn gdzie położen",
        helps="pom[óo]c",
        hints="nie_",
        orders=_FRONT,
    ),
    Words(  # Turkish
        cannot="emem emiyor mümkün_değil amam amıyor",
        locate="belirle tespit tanımla sağla ver söyle",
        place="konum yer koordinat nerede",
        helps=r"yardımcı_ol",
        hints="emem emiyor mümkün amam amıyor",
        orders=("place locate cannot", "helps cannot"),
    ),
    Words(  # Vietnamese
        cannot="không_thể chưa_thể không_có_khả_năng",
        locate="xác_định cung_cấp nhận_dạng đưa_ra cho_biết",
        place="vị_trí địa_điểm tọa_độ nơi ở_đâu",
        helps="giúp hỗ_trợ trả_lời",
        hints="không_ chưa_",
        orders=_FRONT,
    ),
    Words(  # Hindi: the verb stands before "cannot", or inside it
        cannot=r"नहीं_(?:कर_|हो_)?(?:सकत\S|पाऊँगा|पा_रह\S) असमर्थ असंभव संभव_नहीं",
        locate="निर्धारित पहचान पता बता निश्चित",
        place="स्थान जगह निर्देशांक लोकेशन कहाँ कहां",
        helps="मदद सहायता",
        hints="नहीं असमर्थ असंभव",
        orders=("place locate cannot", "helps cannot", "place unknown"),
        gap=r"[^।.!?]{0,40}?",
    ),
    Words(  # Thai: it has no blanks between words
        cannot="ไม่สามารถ ไม่อาจ",
        locate="ระบุ บอก หา กำหนด",
        place="สถานที่ ตำแหน่ง พิกัด ที่ไหน ที่ตั้ง",
        helps="ช่วย",
        hints="ไม่",
        orders=(*_FRONT, "unknown place"),
        gap=r"[^.!?\n]{0,30}?",
    ),
    Words(  # Indonesian
        cannot="tidak_(?:dapat|bisa|mampu)",
        locate="menentukan mengidentifikasi memberikan menyebutkan",
        place="lokasi tempat koordinat di_mana",
        helps="membantu",
        hints="tidak_",
        orders=_FRONT,
    ),
)
"""All but English, whose words follow each other more closely (`refusals`)."""

NOT = r"\bnicht\b \bkeine[nr]?\b \bniet\b"
"""The word ``not`` of the orders of German and Dutch."""

UNKNOWN_TO_ME = r"""weiß_(?:leider_)?nicht 不知道 不清楚 不晓得 わかりません 分かりません
    わからない 不明です 모르 ne_(?:sais|connais)_pas \bno_s[ée]\b \bnão_sei\b \bnon_so\b
    не_знаю لا_أعرف नहीं_(?:बता|दे|पहचान)_सकत\S पता_नहीं ไม่ทราบ ไม่รู้"""
"""The word ``unknown`` of the orders: that the teacher does not know."""

NEVER = "nicht_möglich unmöglich nicht_in_der_lage nicht_imstande"
"""The word ``never`` of the orders of German."""

EN_INFORMATION = "information context evidence clues details? data"
EN_HINTS = (
    *(
        "n't",
        "cannot",
        "can not",
        " not ",
        "not ",
        "unable",
        "impossible",
        "declin",
        "refus",
        "refrain",
    ),
    *(
        "insufficient",
        "against",
        "never",
        "no ",
        "lack",
        "without",
        "prevent",
        "prohibit",
        "forbid",
    ),
)
EN_CANNOT = r"""can't cannot can_not couldn't could_not won't will_not unable decline refuse
    refrain_from
    (?:am|'m|are|'re|was|is)_not_(?:able|capable_of|in_a_position|permitted|allowed|comfortable(?:_with)?|going)
    not_able (?:don't|do_not)_feel_comfortable prefer_not (?:'d|would)_rather_not
    (?:must|have_to|will|'ll|should)_(?:respectfully_|politely_)?(?:decline|refuse|refrain_from)
    (?:do_not|don't|does_not|doesn't|lack|without)_(?:have_)?(?:the_|any_)?(?:ability|capability|means|tools?|way|permission)
    (?:do_not|don't|does_not|doesn't|lacks?|without)_(?:\w+_)?(?:enough|sufficient)_(?:\w+_)?INFORMATION
    (?:not|isn't|aren't|never)_(?:enough|sufficient)_(?:\w+_){0,3}INFORMATION
    insufficient_(?:\w+_){0,2}INFORMATION (?:not|isn't|never)_(?:really_)?possible(?:_for_me)?
    impossible(?:_for_me)? no_(?:reliable_|possible_)?way(?:_for_me)?(?:_of)?
    not_allow(?:ed)?(?:_me)? prevents?_me_from not_(?:designed|programmed|trained)"""
EN_BETWEEN = r"""accurately reliably confidently precisely exactly definitively definitely really
    currently directly even possibly responsibly safely actually conclusively truly fully just
    simply ethically to honestly visually with_(?:any_)?(?:certainty|confidence|accuracy)
    be_able_to and_won't or_will_not
    (?:available_)?(?:in|from|within)_(?:this|the|that)_(?:image|photo|picture|photograph|scene)"""
EN_LOCATE = r"""determin identify pinpoint (?:geo-?)?locat establish provid giv tell say specify
    estimat guess infer deduc ascertain disclos reveal shar offer discern recogni[sz] find verify
    confirm conclud figure figuring know narrow plac answer suppl produc generat come_up
    coming_up speculat stat output"""
EN_PLACE = r"""(?:geo-?)?locations? coordinates? places? latitude longitude position whereabouts
    where country city address gps geographic(?:al)? an?_(?:answer|guess|estimate) people
    persons? individuals? faces?"""
EN_DETAIL = """crops? signs? billboards? plates? texts? logos? box(?:es)? tools? shops? stores?
    restaurants? compan(?:y|ies) business(?:es)? websites? phone"""
EN_FIND = r"determin geo-?locat pinpoint locat identify"
EN_HELP = r"(?:help|assist)(?:ing)?(?:_(?:you|out|further|here|people|users|anyone))*"
EN_OBEY = r"""compl(?:y|ying) fulfill? process complet engag continu proceed participat answer
    respond do"""
EN_SEE = r"view see access open process analy[sz] display"
EN_MADE = r"""determin identif pinpoint located establish provid given ascertain inferr deduc known
    confirm verif"""

SHORT = r"""(?:i_)?(?:really_|honestly_)?(?:do_not|don't)_know(?:_where_(?:it|this)_is)?
    (?:i_have_)?no_idea (?:i_)?(?:can't|cannot)_(?:tell|say|help|answer)
    (?:(?:there_is_|there's_)?not_enough|insufficient)_(?:information|context|details?)
    (?:lo_siento_)?no_puedo no_(?:lo_)?sé je_ne_(?:sais|peux)_pas
    (?:ich_weiß_(?:es_)?|das_weiß_ich_)nicht ich_kann_nicht
    não_(?:sei|posso|consigo) non_(?:lo_)?(?:so|posso) (?:я_)?не_(?:знаю|могу)
    我?(?:无法|無法|不能|难以|難以|没法)(?:确定|確定|定位|判断|判斷|识别|識別|回答)
    我?(?:不知道|不清楚) (?:信息|資訊|线索|線索)不足
    (?:特定|判断|判別|回答)できません (?:分|わ)かりません 不明です (?:모르겠|알_수_없)습니다
    لا_(?:أعرف|أستطيع|أدري) पता_नहीं ไม่ทราบ"""
"""Refusals that count only where a response says nothing else, as they do not say of what."""
APOLOGY = r"""(?:i'm_|i_am_)?(?:so_|very_|really_)?sorry i_apologi[sz]e unfortunately lo_siento
    désolée? je_suis_désolée? (?:es_)?tut_mir_leid leider desculpe mi_dispiace spiacente извините
    к_сожалению (?:很|非常)?抱歉 对不起 對不起 申し訳ありません(?:が)? すみません(?:が)? 죄송합니다
    죄송하지만 آسف عذرا"""
"""What may stand beside one of those."""

# --- what makes it no refusal -------------------------------------------------------------------

STEP_BEGINS = """let_me let's I'll I_will I'm_going_to I_need_to I_should I_want_to I'd_like_to
    we_need_to next,?_I"""
STEP_VERBS = """zoom look closer examin inspect rotat crop enhanc check search us(?:e|ing)
    analy[sz] see try start consider get"""

"""The vocabulary: MAAD-Face's 47 attributes as one table, and the ways to name one or several of them.

A phrase of the table says by its first word how it joins a sentence, so that grammar needs no second table:

    ================  ====================================================
    first word        joins as
    ================  ====================================================
    with, without     "a person with gray hair", "has gray hair"
    wearing           "a person wearing a hat", "wears a hat"
    not               "a person who is not bald", "is not bald"
    who, whose        "a person who smiles", "whose hair is gray"
    of, in            "a person of Asian descent", "in a hat"
    a, an             a noun for the person: "a woman"
    any other         an adjective: "a bald person", "is bald"
    ================  ====================================================

Race, gender, age and attractiveness are marked ``sensitive``: one option hides them in every face of the
product. The figures of label quality are MAAD-Face's own human check of its machine labels (its README).

    >>> [attribute.label for attribute in ATTRIBUTES[:4]]
    ['male', 'young', 'middle-aged', 'senior']
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from clip_smu.errors import InputError


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of MAAD-Face; a label of 1 means yes, -1 no, 0 unknown (never no).

    Attributes:
        name: the column of the csv, exact.
        label: a short human label for tables ("gray hair", "5 o'clock shadow").
        before: the word put before "face" ("bald", "oval"), or "".
        group: the exclusive group (a key of `GROUPS`), or None.
        category: the part of the face or person, as MAAD-Face has it ("Hair", "Face Geometry").
        sensitive: "race", "gender", "age" or "attractiveness" where a reading can harm, else None.
        label_accuracy, label_precision, label_recall: quality of MAAD-Face's labels, 0 to 1.
        positives: phrases that say yes; the first is the one used of a person.
        negatives: phrases that say no; the first is the one used in the negative prompt.
    """

    name: str
    label: str
    before: str
    group: str | None
    category: str
    sensitive: str | None
    label_accuracy: float
    label_precision: float
    label_recall: float
    positives: tuple[str, ...]
    negatives: tuple[str, ...]

    @property
    def after(self) -> str:
        """The clause put after a person ("with gray hair", "wearing a hat"), or "" for a mere adjective."""
        return "" if self.positives[0] == self.before else self.positives[0]

    @property
    def negative(self) -> str:
        """The natural opposite or absence ("without a mustache", "not bald", "with an open mouth")."""
        return self.negatives[0]


def by_name(name: str) -> Attribute:
    """The attribute of that csv name or label; case, spaces, hyphens and underscores do not matter.

    Example:
        >>> by_name("gray hair").name
        'Gray_Hair'

    Raises:
        InputError: no attribute has this name; the message gives the closest ones.
    """
    attribute = _BY_KEY.get(_key(name))
    if attribute is None:
        raise InputError(f"expected the name of an attribute, found {name!r}; {_closest(name, NAMES)}")
    return attribute


def resolve(names_or_groups: Iterable[str]) -> tuple[int, ...]:
    """Column indices (0 to 46, ascending, each once) of attributes named one by one or in sets.

    Each entry is the name or label of an attribute, an exclusive group ("race", "hair color", "eyewear",
    "face shape", "forehead"), a category of MAAD-Face ("Hair", "Beard", "Face Geometry"),
    "attractiveness", or "sensitive" for all that is sensitive. One string may hold several, with commas.

    Example:
        >>> [NAMES[i] for i in resolve(["Eyeglasses", "race"])]
        ['Asian', 'White', 'Black', 'Eyeglasses']

    Raises:
        InputError: an entry is none of these; the message gives the closest ones.
    """
    entries = [names_or_groups] if isinstance(names_or_groups, str) else list(names_or_groups)
    for one in entries:
        if not isinstance(one, str):
            raise InputError(
                f"expected names of attributes or groups, found {one!r}: give names such as Male or race, not positions"
            )
    chosen: set[int] = set()
    for entry in (part.strip() for text in entries for part in text.split(",")):
        if not entry:
            continue
        members = _SETS.get(_key(entry))
        if members is None:
            attribute = _BY_KEY.get(_key(entry))
            if attribute is None:
                known = (*NAMES, *GROUPS, *CATEGORIES, *SENSITIVE, "sensitive")
                raise InputError(
                    f"expected attributes, groups or categories, found {entry!r}; {_closest(entry, known)}"
                )
            members = (attribute.name,)
        chosen.update(INDEX[name] for name in members)
    return tuple(sorted(chosen))


def _key(name: str) -> str:
    """One spelling for all spellings of a name."""
    text = name.strip().lower().replace("’", "'").replace("colour", "color")
    return "".join(text.replace("_", " ").replace("-", " ").replace("'", " ").split())


def _closest(name: str, known: Iterable[str]) -> str:
    """The advice of an error message: up to three names that look alike, else all of them."""
    from difflib import get_close_matches  # only errors need it

    spelled = {_key(one): one for one in known}
    close = get_close_matches(_key(name), spelled, n=3, cutoff=0.55)
    if close:
        return f"did you mean {' or '.join(spelled[one] for one in close)}?"
    return f"use one of {', '.join(spelled.values())}"


def _phrases(*lines: str) -> tuple[str, ...]:
    """The phrases of a row, which its lines part with semicolons."""
    return tuple(phrase.strip() for line in lines for phrase in line.split(";"))


# fmt: off
ATTRIBUTES: tuple[Attribute, ...] = (
    # name, label, before, group, category, sensitive, label accuracy, precision, recall, positives, negatives
    Attribute("Male", "male", "male", "gender", "Demographics", "gender", 0.99, 0.98, 1.0,
        _phrases("male; a man; a male person; masculine; a gentleman; a guy; a male individual",
                 "a man or boy; with a male face; with masculine features; of the male sex",
                 "who looks like a man"),
        _phrases("female; a woman; a female person; feminine; a lady; a female individual",
                 "a woman or girl; with a female face; with feminine features; of the female sex",
                 "who looks like a woman; not male")),
    Attribute("Young", "young", "young", "age", "Demographics", "age", 0.99, 1.0, 0.98,
        _phrases("young; youthful; a young person; a young adult; young-looking; youthful-looking",
                 "of a young age; with a young face; with a youthful look; with youthful features",
                 "in early adulthood; who looks young"),
        _phrases("not young; older; not youthful; not young-looking; who is no longer young",
                 "without a youthful look; with an older face; not in early adulthood")),
    Attribute("Middle_Aged", "middle-aged", "middle-aged", "age", "Demographics", "age", 0.93, 0.98, 0.89,
        _phrases("middle-aged; in middle age; in midlife; a middle-aged person; a middle-aged adult",
                 "of middle age; with a middle-aged face; with a middle-aged look; who looks middle-aged",
                 "in the middle of life; in their forties or fifties; who is neither young nor old"),
        _phrases("not middle-aged; not in middle age; not in midlife; without a middle-aged look",
                 "who does not look middle-aged; not in the middle of life; not of middle age")),
    Attribute("Senior", "senior", "elderly", "age", "Demographics", "age", 0.97, 0.96, 0.98,
        _phrases("elderly; old; aged; a senior; a senior citizen; a senior person; old-looking",
                 "of advanced age; in old age; in later life; with an aged face; with an elderly look",
                 "who looks old"),
        _phrases("not elderly; not old; not aged; not a senior citizen; not in old age",
                 "not of advanced age; without an aged face; who does not look old")),
    Attribute("Asian", "Asian", "Asian", "race", "Demographics", "race", 0.9, 0.88, 0.92,
        _phrases("Asian; an Asian person; of Asian descent; of Asian appearance; of Asian origin",
                 "of Asian ancestry; of Asian heritage; of Asian ethnicity; Asian-looking",
                 "with Asian features; with an Asian face; who looks Asian"),
        _phrases("not Asian; non-Asian; not of Asian descent; not of Asian appearance",
                 "not of Asian origin; without Asian features; not Asian-looking",
                 "who does not look Asian")),
    Attribute("White", "white", "white", "race", "Demographics", "race", 0.89, 1.0, 0.82,
        _phrases("white; Caucasian; a white person; of European descent; of Caucasian appearance",
                 "of European ancestry; of European heritage; of European origin; of white ethnicity",
                 "with Caucasian features; with a Caucasian face; who looks white"),
        _phrases("not white; non-white; not Caucasian; non-Caucasian; not of European descent",
                 "not of European ancestry; without Caucasian features; who does not look white")),
    Attribute("Black", "Black", "Black", "race", "Demographics", "race", 0.94, 0.9, 0.98,
        _phrases("Black; a Black person; of African descent; of African appearance; of African ancestry",
                 "of African heritage; of African origin; of Black heritage; of Black ethnicity",
                 "with African features; of African or African American descent; who looks Black"),
        _phrases("not Black; non-Black; not of African descent; not of African ancestry",
                 "not of African origin; without African features; not of Black heritage",
                 "who does not look Black")),
    Attribute("Rosy_Cheeks", "rosy cheeks", "", None, "Skin", None, 0.99, 0.98, 1.0,
        _phrases("with rosy cheeks; rosy-cheeked; with pink cheeks; with red cheeks",
                 "with blushing cheeks; with flushed cheeks; with ruddy cheeks; with reddish cheeks",
                 "with a rosy complexion; with a blush on the cheeks; with color in the cheeks",
                 "whose cheeks are pink"),
        _phrases("without rosy cheeks; with no rosy cheeks; not rosy-cheeked; without pink cheeks",
                 "without flushed cheeks; with no redness in the cheeks; whose cheeks are not red")),
    Attribute("Shiny_Skin", "shiny skin", "", None, "Skin", None, 0.77, 0.84, 0.74,
        _phrases("with shiny skin; shiny-skinned; with glossy skin; with oily skin; with glowing skin",
                 "with glistening skin; with gleaming skin; with a shiny face; with a shine on the skin",
                 "with skin that reflects the light; with a glossy complexion; whose skin shines"),
        _phrases("without shiny skin; with matte skin; not shiny-skinned; without oily skin",
                 "without glossy skin; with no shine on the skin; whose skin does not shine")),
    Attribute("Bald", "bald", "bald", None, "Hair", None, 0.96, 0.92, 1.0,
        _phrases("bald; bald-headed; completely bald; shaven-headed; with a bald head",
                 "with a hairless head; with a shaved head; with a bare scalp; with no hair on the head",
                 "who has no hair; whose head is bald; who has gone bald"),
        _phrases("not bald; not bald-headed; without a bald head; with hair on the head; who has hair",
                 "not shaven-headed; whose head is not bald; who has not gone bald")),
    Attribute("Wavy_Hair", "wavy hair", "", None, "Hair", None, 0.99, 1.0, 0.98,
        _phrases("with wavy hair; wavy-haired; with curly hair; with wavy locks; with waves in the hair",
                 "with curls; with loose curls; with a wavy hairstyle; with hair that falls in waves",
                 "with softly waving hair; whose hair is wavy; who has wavy hair"),
        _phrases("without wavy hair; with no waves in the hair; not wavy-haired; without curls",
                 "whose hair is not wavy; with hair that is not wavy; who does not have wavy hair")),
    Attribute("Receding_Hairline", "receding hairline", "", None, "Hair", None, 0.77, 0.54, 1.0,
        _phrases("with a receding hairline; with receding hair; with thinning hair; with a high hairline",
                 "balding; with a retreating hairline; with hair loss at the temples",
                 "with hair thinning at the front; with a hairline that has moved back",
                 "whose hairline is receding; who is losing hair at the front",
                 "with a hairline set far back"),
        _phrases("without a receding hairline; with no receding hairline; without thinning hair",
                 "with a full hairline; not balding; with no hair loss at the temples",
                 "whose hairline is not receding")),
    Attribute("Bangs", "bangs", "", None, "Hair", None, 0.98, 0.96, 1.0,
        _phrases("with bangs; with a fringe; with a fringe of hair; with hair cut across the forehead",
                 "with side-swept bangs; with blunt bangs; with short bangs; with long bangs",
                 "who wears bangs; with hair falling over the brow; with a fringe hairstyle",
                 "whose hair falls over the forehead"),
        _phrases("without bangs; with no bangs; without a fringe; with no fringe",
                 "with no hair over the brow; who does not wear bangs",
                 "whose hair does not fall over the forehead")),
    Attribute("Sideburns", "sideburns", "", None, "Hair", None, 0.93, 0.88, 0.98,
        _phrases("with sideburns; with sideboards; with side whiskers; with long sideburns",
                 "with thick sideburns; with visible sideburns; with mutton chops",
                 "with whiskers in front of the ears; with hair growing in front of the ears",
                 "side-whiskered; who has sideburns; with hair down the sides of the face"),
        _phrases("without sideburns; with no sideburns; without side whiskers; with no visible sideburns",
                 "with no whiskers in front of the ears; who does not have sideburns; not side-whiskered")),
    Attribute("Black_Hair", "black hair", "", "hair color", "Hair", None, 0.98, 0.96, 1.0,
        _phrases("with black hair; black-haired; with jet-black hair; with raven hair",
                 "with raven-black hair; with ebony hair; with deep black hair; with inky black hair",
                 "with black locks; whose hair is black; who has black hair"),
        _phrases("without black hair; with no black hair; not black-haired; with hair that is not black",
                 "whose hair is not black; who does not have black hair")),
    Attribute("Blond_Hair", "blond hair", "", "hair color", "Hair", None, 1.0, 1.0, 1.0,
        _phrases("with blond hair; with blonde hair; blond; blonde; blond-haired; fair-haired",
                 "with fair hair; with golden hair; with yellow hair; with flaxen hair",
                 "with light blond hair; whose hair is blond"),
        _phrases("without blond hair; with no blonde hair; not blond; not fair-haired",
                 "with hair that is not blond; whose hair is not blond; who does not have blond hair")),
    Attribute("Brown_Hair", "brown hair", "", "hair color", "Hair", None, 0.97, 0.94, 1.0,
        _phrases("with brown hair; brown-haired; brunette; with brunette hair; with chestnut hair",
                 "with dark brown hair; with light brown hair; with medium brown hair",
                 "with chocolate-brown hair; with brown locks; whose hair is brown; who has brown hair"),
        _phrases("without brown hair; with no brown hair; not brown-haired; not brunette",
                 "with hair that is not brown; whose hair is not brown; who does not have brown hair")),
    Attribute("Gray_Hair", "gray hair", "", "hair color", "Hair", None, 0.95, 0.9, 1.0,
        _phrases("with gray hair; with grey hair; gray-haired; grey-haired; silver-haired",
                 "with silver hair; with silvery hair; with white hair; with graying hair",
                 "with greying hair; with salt-and-pepper hair; whose hair has turned gray"),
        _phrases("without gray hair; without grey hair; with no gray hair; not gray-haired",
                 "with hair that is not gray; whose hair has not turned gray",
                 "who does not have gray hair")),
    Attribute("No_Beard", "no beard", "", None, "Beard", None, 0.98, 1.0, 0.96,
        _phrases("with no beard; without a beard; clean-shaven; beardless; smooth-shaven",
                 "with a clean-shaven face; with a smooth chin; with a shaved chin; not bearded",
                 "who does not have a beard; who has no beard; whose chin is clean-shaven"),
        _phrases("with a beard; bearded; not clean-shaven; not beardless; with a bearded chin",
                 "with whiskers on the chin; with beard growth; who has a beard")),
    Attribute("Mustache", "mustache", "", None, "Beard", None, 0.98, 0.98, 0.98,
        _phrases("with a mustache; with a moustache; mustached; moustached; mustachioed",
                 "with hair on the upper lip; with hair above the mouth; with a thick mustache",
                 "with a thin mustache; with a handlebar mustache; who has a mustache",
                 "whose upper lip has hair on it"),
        _phrases("without a mustache; without a moustache; with no mustache; not mustached",
                 "with no hair above the mouth; who does not have a mustache; whose upper lip is bare")),
    Attribute("5_o_Clock_Shadow", "5 o'clock shadow", "", None, "Beard", None, 0.97, 0.94, 1.0,
        _phrases("with a 5 o'clock shadow; with a five o'clock shadow; with stubble; with light stubble",
                 "with short stubble; with facial stubble; with designer stubble; with a stubbly chin",
                 "stubbly; unshaven; with a day's growth of beard; whose chin is stubbly"),
        _phrases("without a 5 o'clock shadow; without a five o'clock shadow; with no 5 o'clock shadow",
                 "without stubble; with no stubble; not stubbly; who has no stubble")),
    Attribute("Goatee", "goatee", "", None, "Beard", None, 0.95, 0.9, 1.0,
        _phrases("with a goatee; with a goatee beard; with a chin beard; with a trimmed goatee",
                 "with a small goatee; with a small pointed beard; with a short beard on the chin",
                 "with a tuft of beard on the chin; with a beard only on the chin; goateed",
                 "who has a goatee; who has grown a goatee"),
        _phrases("without a goatee; with no goatee; without a chin beard; without a goatee beard",
                 "not goateed; with no tuft of beard on the chin; who does not have a goatee")),
    Attribute("Oval_Face", "oval face", "oval", "face shape", "Face Geometry", None, 0.81, 0.9, 0.76,
        _phrases("with an oval face; oval-faced; with an oval-shaped face; with an egg-shaped face",
                 "whose face is oval; with an oval face shape; with an elliptical face",
                 "with a gently oval face; with a long oval face; with a face shaped like an egg",
                 "with an oval outline; who has an oval face"),
        _phrases("without an oval face; without an oval-shaped face; with a face that is not oval",
                 "not oval-faced; whose face is not oval; who does not have an oval face")),
    Attribute("Square_Face", "square face", "square", "face shape", "Face Geometry", None, 0.8, 0.78, 0.81,
        _phrases("with a square face; square-faced; with a square-shaped face; with a square jaw",
                 "square-jawed; with a square jawline; with an angular face; with a boxy face",
                 "with a square face shape; with a broad and square face; whose face is square",
                 "who has a square face"),
        _phrases("without a square face; without a square-shaped face; with a face that is not square",
                 "not square-faced; without a square jaw; whose face is not square",
                 "who does not have a square face")),
    Attribute("Round_Face", "round face", "round", "face shape", "Face Geometry", None, 0.69, 0.56, 0.76,
        _phrases("with a round face; round-faced; with a rounded face; with a circular face; moon-faced",
                 "with a moon-shaped face; with a round face shape; with a softly rounded face",
                 "with a full round face; with a face that is round; whose face is round",
                 "who has a round face"),
        _phrases("without a round face; without a rounded face; with a face that is not round",
                 "not round-faced; whose face is not round; who does not have a round face")),
    Attribute("Double_Chin", "double chin", "", None, "Face Geometry", None, 0.94, 0.88, 1.0,
        _phrases("with a double chin; double-chinned; with a second chin; with a fleshy chin",
                 "with a sagging chin; with a fold under the chin; with a roll under the chin",
                 "with fat under the chin; with loose skin under the chin; with a visible double chin",
                 "who has a double chin; whose chin is double"),
        _phrases("without a double chin; with no double chin; not double-chinned",
                 "with no fold under the chin; with no fat under the chin; whose chin is not double",
                 "who does not have a double chin")),
    Attribute("High_Cheekbones", "high cheekbones", "", None, "Face Geometry", None, 0.92, 0.92, 0.92,
        _phrases("with high cheekbones; with prominent cheekbones; with pronounced cheekbones",
                 "with strong cheekbones; with raised cheekbones; with sharp cheekbones",
                 "with chiseled cheekbones; with well-defined cheekbones; with high-set cheekbones",
                 "whose cheekbones are high; who has high cheekbones"),
        _phrases("without high cheekbones; with no prominent cheekbones; without prominent cheekbones",
                 "with cheekbones that are not high; whose cheekbones are not high",
                 "who does not have high cheekbones")),
    Attribute("Chubby", "chubby", "chubby", None, "Face Geometry", None, 0.94, 0.88, 1.0,
        _phrases("chubby; plump; heavyset; overweight; stout; pudgy; chubby-cheeked; with chubby cheeks",
                 "with a chubby face; with a plump face; with a fleshy face; with a fat face",
                 "who looks overweight"),
        _phrases("not chubby; not plump; not heavyset; not overweight; not pudgy; without chubby cheeks",
                 "without a chubby face; who does not look overweight")),
    Attribute("Obstructed_Forehead", "obstructed forehead", "", "forehead", "Face Geometry",
        None, 0.91, 0.94, 0.89,
        _phrases("with a covered forehead; with an obstructed forehead; with a hidden forehead",
                 "with a concealed forehead; with a partly hidden forehead",
                 "with something over the forehead; with hair or a hat over the forehead",
                 "whose forehead is covered; whose forehead is hidden",
                 "whose forehead cannot be seen well; with a forehead hidden from view"),
        _phrases("without a covered forehead; without an obstructed forehead",
                 "with nothing over the forehead; with an uncovered forehead",
                 "with no covering on the forehead; whose forehead is not covered")),
    Attribute("Fully_Visible_Forehead", "fully visible forehead", "", "forehead", "Face Geometry",
        None, 0.8, 0.75, 1.0,
        _phrases("with a fully visible forehead; with a completely visible forehead",
                 "with a clear forehead; with an exposed forehead; with a bare forehead",
                 "with an open forehead; with an unobstructed forehead; with the whole forehead showing",
                 "with the entire forehead in view; whose forehead is fully visible",
                 "whose forehead can be seen in full"),
        _phrases("without a fully visible forehead; without a completely visible forehead",
                 "with a forehead that is not fully visible; with no full view of the forehead",
                 "whose forehead is not fully visible; whose forehead cannot be seen in full")),
    Attribute("Brown_Eyes", "brown eyes", "", None, "Periocular", None, 0.68, 0.44, 0.85,
        _phrases("with brown eyes; brown-eyed; with dark brown eyes; with light brown eyes",
                 "with deep brown eyes; with warm brown eyes; with chestnut eyes",
                 "with chocolate-brown eyes; with brown irises; whose eyes are brown; who has brown eyes"),
        _phrases("without brown eyes; with no brown in the eyes; not brown-eyed",
                 "with eyes that are not brown; whose eyes are not brown; who does not have brown eyes")),
    Attribute("Bags_Under_Eyes", "bags under the eyes", "", None, "Periocular", None, 0.68, 0.4, 0.91,
        _phrases("with bags under the eyes; with under-eye bags; with eye bags; baggy-eyed; puffy-eyed",
                 "with puffy eyes; with baggy eyes; with puffiness under the eyes",
                 "with swelling under the eyes; with tired eyes; with pouches under the eyes",
                 "whose eyes have bags under them"),
        _phrases("without bags under the eyes; with no bags under the eyes; without under-eye bags",
                 "not baggy-eyed; with no puffiness under the eyes; with no swelling under the eyes",
                 "whose eyes are not puffy")),
    Attribute("Bushy_Eyebrows", "bushy eyebrows", "", None, "Periocular", None, 0.95, 0.94, 0.96,
        _phrases("with bushy eyebrows; with bushy brows; bushy-browed; with thick eyebrows",
                 "with thick brows; with dense eyebrows; with heavy eyebrows; with full eyebrows",
                 "with shaggy eyebrows; with hairy eyebrows; whose eyebrows are bushy",
                 "who has bushy eyebrows"),
        _phrases("without bushy eyebrows; with no bushy eyebrows; without thick eyebrows",
                 "not bushy-browed; with eyebrows that are not bushy; whose eyebrows are not thick",
                 "who does not have bushy eyebrows")),
    Attribute("Arched_Eyebrows", "arched eyebrows", "", None, "Periocular", None, 1.0, 1.0, 1.0,
        _phrases("with arched eyebrows; with arched brows; with curved eyebrows",
                 "with high-arched eyebrows; with strongly arched brows; with bow-shaped eyebrows",
                 "with an arch in the eyebrows; with eyebrows that form an arch",
                 "whose eyebrows are arched; whose brows curve; who has arched eyebrows"),
        _phrases("without arched eyebrows; with no arch in the eyebrows; with straight eyebrows",
                 "without curved eyebrows; with eyebrows that are not arched",
                 "whose eyebrows are not arched; who does not have arched eyebrows")),
    Attribute("Mouth_Closed", "mouth closed", "", None, "Mouth", None, 0.84, 0.8, 0.87,
        _phrases("with a closed mouth; with their mouth closed; with their mouth shut; with a shut mouth",
                 "with closed lips; with lips pressed together; with sealed lips",
                 "with lips held together; closed-mouthed; whose mouth is closed; whose lips are closed"),
        _phrases("with an open mouth; with their mouth open; with a slightly open mouth; with parted lips",
                 "open-mouthed; whose mouth is open; whose lips are apart; whose mouth is not closed")),
    Attribute("Smiling", "smiling", "smiling", None, "Mouth", None, 0.95, 1.0, 0.91,
        _phrases("with a smile; smiling; grinning; beaming; with a grin; with a broad smile",
                 "with a happy smile; with a smile on the lips; with a smiling face",
                 "with a happy expression; with a cheerful look; who smiles; who looks happy"),
        _phrases("not smiling; without a smile; with no smile; not grinning; unsmiling",
                 "who does not smile; with a neutral or serious expression; with a serious expression",
                 "with a neutral expression")),
    Attribute("Big_Lips", "big lips", "", None, "Mouth", None, 0.7, 0.5, 0.83,
        _phrases("with big lips; big-lipped; full-lipped; thick-lipped; with full lips; with thick lips",
                 "with large lips; with plump lips; with fleshy lips; with voluminous lips",
                 "whose lips are full; who has big lips"),
        _phrases("without big lips; without full lips; with lips that are not big; not big-lipped",
                 "not thick-lipped; whose lips are not full; who does not have big lips")),
    Attribute("Big_Nose", "big nose", "", None, "Nose", None, 0.97, 0.98, 0.96,
        _phrases("with a big nose; big-nosed; large-nosed; with a large nose; with a prominent nose",
                 "with a broad nose; with a wide nose; with a huge nose; with a sizable nose",
                 "whose nose is big; whose nose is large; who has a big nose"),
        _phrases("without a big nose; without a large nose; with a nose that is not big; not big-nosed",
                 "whose nose is not big; who does not have a big nose")),
    Attribute("Pointy_Nose", "pointy nose", "", None, "Nose", None, 0.88, 0.88, 0.88,
        _phrases("with a pointy nose; with a pointed nose; pointy-nosed; sharp-nosed; with a sharp nose",
                 "with a sharp-tipped nose; with a pointed nose tip; with a thin pointed nose",
                 "with a nose that comes to a point; whose nose is pointed; who has a pointy nose"),
        _phrases("without a pointy nose; without a pointed nose; with a nose that is not pointed",
                 "not pointy-nosed; whose nose is not pointed; who does not have a pointy nose")),
    Attribute("Heavy_Makeup", "heavy makeup", "", None, "Accessories", None, 0.98, 0.98, 0.98,
        _phrases("wearing heavy makeup; wearing heavy make-up; wearing lots of makeup",
                 "wearing thick makeup; wearing bold makeup; wearing strong makeup; wearing full makeup",
                 "wearing heavy cosmetics; with heavy makeup; with a heavily made-up face",
                 "who is heavily made up; whose makeup is heavy"),
        _phrases("without heavy makeup; not wearing heavy makeup; with little or no makeup",
                 "wearing little or no make-up; not heavily made up; who is not wearing much makeup",
                 "who does not wear heavy makeup")),
    Attribute("Wearing_Hat", "hat", "", None, "Accessories", None, 0.92, 0.84, 1.0,
        _phrases("wearing a hat; wearing a cap; wearing a baseball cap; wearing a ball cap",
                 "wearing a beanie; wearing headwear; wearing a woolly hat; wearing a cowboy hat",
                 "with a hat on; in a hat; in a cap; with a hat on the head"),
        _phrases("without a hat; without a cap; not wearing a hat; with no hat on; wearing no hat",
                 "hatless; bareheaded; not wearing headwear; who does not wear a hat")),
    Attribute("Wearing_Earrings", "earrings", "", None, "Accessories", None, 0.83, 0.7, 0.95,
        _phrases("wearing earrings; wearing a pair of earrings; wearing hoop earrings",
                 "wearing dangling earrings; wearing ear studs; wearing ear jewelry; with earrings",
                 "with studs in the ears; with jewelry in the ears; with ear jewellery",
                 "who has earrings in"),
        _phrases("without earrings; not wearing earrings; with no earrings; wearing no earrings",
                 "without ear jewelry; with no jewelry in the ears; with bare earlobes",
                 "who does not wear earrings")),
    Attribute("Wearing_Necktie", "necktie", "", None, "Accessories", None, 0.91, 0.84, 0.98,
        _phrases("wearing a necktie; wearing a tie; wearing a knotted tie; wearing a silk tie",
                 "wearing formal neckwear; with a tie on; with a tie around the neck; with a necktie",
                 "with a knotted necktie; in a tie; in a shirt and tie; in a collar and tie"),
        _phrases("without a necktie; without a tie; not wearing a tie; not wearing a necktie",
                 "with no tie on; wearing no tie; tieless; who does not wear a tie")),
    Attribute("Wearing_Lipstick", "lipstick", "", None, "Accessories", None, 0.95, 0.9, 1.0,
        _phrases("wearing lipstick; wearing lip gloss; wearing lip color; with lip makeup",
                 "with lipstick on; with lipstick; with lip colour; with painted lips; with colored lips",
                 "with made-up lips; with color on the lips; whose lips are painted"),
        _phrases("without lipstick; not wearing lipstick; with no lipstick on; wearing no lipstick",
                 "with bare lips; with unpainted lips; without lip color; who does not wear lipstick")),
    Attribute("No_Eyewear", "no eyewear", "", "eyewear", "Accessories", None, 0.98, 0.98, 0.98,
        _phrases("with no eyewear; without eyewear; not wearing eyewear; wearing no eyewear",
                 "with nothing over the eyes; whose eyes are bare; with no eyewear at all",
                 "without glasses or sunglasses; not wearing glasses or sunglasses",
                 "who does not wear eyewear; whose eyes are uncovered"),
        _phrases("wearing eyewear; with eyewear; with eyewear on; wearing glasses or sunglasses",
                 "who wears eyewear; with something over the eyes; with lenses in front of the eyes",
                 "whose eyes are behind lenses")),
    Attribute("Eyeglasses", "eyeglasses", "", "eyewear", "Accessories", None, 0.9, 0.8, 1.0,
        _phrases("wearing eyeglasses; wearing glasses; wearing spectacles; wearing specs",
                 "wearing a pair of glasses; wearing reading glasses; wearing prescription glasses",
                 "bespectacled; with glasses; with spectacles; with glasses on; in glasses"),
        _phrases("without eyeglasses; without glasses; without spectacles; not wearing glasses",
                 "not wearing spectacles; with no glasses on; wearing no glasses; not bespectacled")),
    Attribute("Attractive", "attractive", "attractive", None, "Other", "attractiveness", 1.0, 1.0, 1.0,
        _phrases("attractive; good-looking; beautiful; nice-looking; appealing; with an attractive face",
                 "with a beautiful face; with a pretty face; with a handsome face; with good looks",
                 "with handsome features; who looks attractive"),
        _phrases("not attractive; not good-looking; not beautiful; who is not handsome; who is not pretty",
                 "without good looks; without an attractive face; who does not look attractive")),
)
# fmt: on

NAMES: tuple[str, ...] = tuple(attribute.name for attribute in ATTRIBUTES)
"""The 47 names, in the order of the csv's columns."""

INDEX: dict[str, int] = {name: i for i, name in enumerate(NAMES)}
"""Name → column index, 0 to 46."""

GROUPS: dict[str, tuple[str, ...]] = {
    group: tuple(a.name for a in ATTRIBUTES if a.group == group)
    for group in dict.fromkeys(a.group for a in ATTRIBUTES if a.group)
}
"""Exclusive groups: of each, at most one attribute holds of a face ("gender" has Male alone)."""

CATEGORIES: dict[str, tuple[str, ...]] = {
    category: tuple(a.name for a in ATTRIBUTES if a.category == category)
    for category in dict.fromkeys(a.category for a in ATTRIBUTES)
}
"""MAAD-Face's categories, in the order of the csv."""

SENSITIVE: dict[str, tuple[str, ...]] = {
    kind: tuple(a.name for a in ATTRIBUTES if a.sensitive == kind)
    for kind in dict.fromkeys(a.sensitive for a in ATTRIBUTES if a.sensitive)
}
"""Kinds of sensitive attributes: gender, age, race and attractiveness."""

_SETS: dict[str, tuple[str, ...]] = {
    _key(name): members
    for name, members in (
        *CATEGORIES.items(),
        *SENSITIVE.items(),
        *GROUPS.items(),
        ("sensitive", tuple(a.name for a in ATTRIBUTES if a.sensitive)),
    )
}
_BY_KEY: dict[str, Attribute] = {_key(text): a for a in ATTRIBUTES for text in (a.label, a.name)}

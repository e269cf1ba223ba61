"""The small words of a question, as tables: what denies, joins, frames, grades, and what may stand between."""

from __future__ import annotations

from clip_smu.words.english import words


def _phrases(text: str) -> frozenset[tuple[str, ...]]:
    return frozenset(tuple(words(phrase)) for phrase in text.split(";"))


SMALL: dict[str, frozenset[tuple[str, ...]]] = {
    "not": _phrases(
        """
        not; weren't; hadn't; couldn't; wouldn't; won't; shouldn't; mustn't; opposite of; isn't; aren't;
        wasn't; ain't; doesn't; don't; didn't; hasn't; haven't; cannot; can't; never; non; nobody; no
        longer; far from; hardly; scarcely; barely; other than; anything but; rather than; instead of;
        except; least; less; hardly any; not at all; by no means; in no way
        """
    ),
    "without": _phrases(
        """
        without; void of; bereft of; bare of; stripped of; rid of; got rid of; lost; shaved off; lacks;
        lacking; lack; free of; free from; devoid of; minus; took off; taken off; sans; removed her;
        removed his; without any
        """
    ),
    "no": _phrases("no; with no; none of; zero"),
    "gone": _phrases("free; missing; absent; removed; not there; nowhere to be seen"),
    "neither": _phrases("neither"),
    "nor": _phrases("nor"),
    "or": _phrases("or; alternatively; or else; or maybe; or perhaps; or possibly; and or"),
    "either": _phrases("either"),
    "and": _phrases("and; as well as; plus; and also; along with; together with"),
    "but": _phrases("but; yet; however; while; though; although; but also; and yet; and otherwise"),
    "go": _phrases(
        """
        with; alongside; accompanied by; paired with; combined with; coupled with; complete with; topped
        with; framed by; flaunting; rocking; boasting; adorned with; decked out in; donned; in addition
        to; besides; wearing; wears; wear; wore; has; have; having; had; in; who; that; whose; is; are;
        was; were; be; being; been; am; does; do; did; looks; look; looking; looked; looks like; look
        like; looking like; seems; seem; appears; appear; seems to be; appears to be; sports; sporting;
        sport; shows; showing; displays; displaying; features; featuring; bears; bearing; dons; donning;
        got; gets; carries; carrying; possesses; dressed in; clad in; of; to be; gone; turned; put on;
        counts as; can be called; what looks like
        """
    ),
    "article": _phrases(
        """
        a; an; the; his; her; their; its; some; any; this; these; those; such; all; another
        """
    ),
    "person": _phrases(
        """
        person; persons; people; individual; individuals; someone; somebody; anyone; anybody; everyone;
        everybody; face; faces; human; humans; human being; subject; subjects; folk; folks; template;
        templates; one; ones; adult; adults
        """
    ),
    "grade": _phrases(
        """
        very; really; quite; rather; fairly; somewhat; slightly; extremely; incredibly; clearly;
        obviously; definitely; totally; completely; fully; partly; partially; almost; nearly; mostly;
        truly; super; so; too; too much; a bit; a bit of; a little; a little bit; a lot; a lot of; lots
        of; tons of; loads of; plenty of; most; more; much; even; a hint of; a touch of; a trace of;
        hint of; at least; at least some; downright; absolutely; highly; moderately; mildly; noticeably;
        visibly; remarkably; exceptionally; unusually; particularly; especially; perfectly; utterly;
        rather more; of all; than average; than usual; than most; kind of; sort of; kinda; the faintest;
        massively; hugely; terribly; awfully; strikingly; decidedly; certainly; probably; possibly;
        maybe; perhaps; about; approximately; just barely; a tad; a shade; a crack; a trifle; tad; bit;
        from ear to ear; going; turning; getting; becoming; a real; proper; heavily
        """
    ),
    "frame": _phrases(
        """
        whatsoever; photo of; close up of; close up; photograph of; picture of; image of; portrait of;
        snapshot of; shot of; painting of; drawing of; photo; photos; photograph; photographs; picture;
        pictures; image; images; portrait; portraits; headshot; mugshot; show; show me; find; find me;
        find all; search for; list; give me; get me; select; pick; pick out; rank; sort; count; how
        many; which; is there; are there; there is; there are; there's; can you see; can you tell; can
        we see; could; can; would; will; may; might; should; must; i want; i am looking for; looking
        for; please; tell me; tell; do you see; if; whether; as; to; for; by; at; it; he; she; him;
        they; them; himself; herself; i; you; we; me; us; only; not only; also; just; still; now; here;
        there; then; both; each; every; everything; whatever; on; up; out; down; anymore; any more; any
        longer; see; say; says; said; call; called; considered; describe; described; from; be able;
        like; kind; type; sort; own; ever; already; today; currently; yes; photographed; pictured;
        shown; seen; visible; used; appearance; expression; color; colour; descent; origin; ancestry;
        heritage; ethnicity; extraction; stock; background; this morning; at the moment; right now; from
        below; from above; caked in; from view; in view; in full; hers; has on
        """
    ),
}
"""Kind of a small word → its phrases, by their words. The longest phrase counts, whatever its kind."""

ELSEWHERE = frozenset(("what", "how", "why", "when", "where"))
"""Words that ask for another answer than yes or no: with one of these a part is not understood."""

PRONOUNS = frozenset(words("he she him her his hers himself herself is does has was did"))
"""Of whom something is asked: "does she wear a hat?" does not ask whether she is a woman."""

BODY = frozenset(
    words(
        """
        hair eyes eye face skin lips lip nose eyebrows eyebrow brows brow cheeks cheek forehead chin
        mouth hairline jaw haired eyed faced skinned lipped nosed browed cheeked cheekbones complexion
        locks beard mustache moustache makeup features ears neck head lobes shoulders
        """
    )
)
"""What adjectives are said of together ("black or brown hair"), and where a thing may be ("a hat on the head")."""

IS = frozenset(
    words(
        """
        is are was were looks look seems appears isn't aren't wasn't weren't that which not gone turned
        has as like a
        """
    )
)
"""Between a part of the body and its adjective: "her hair isn't black"."""

OF_BODY: dict[str, tuple[str, ...]] = {
    "hair": ("Hair",),
    "chin": ("Beard",),
    "jaw": ("Beard",),
    "mouth": ("Mouth", "Beard"),
    "lips": ("Mouth",),
    "skin": ("Skin",),
    "complexion": ("Skin",),
    "cheeks": ("Skin", "Beard"),
    "nose": ("Nose",),
    "eyes": ("Periocular",),
    "eyebrows": ("Periocular",),
    "brows": ("Periocular",),
}
"""Part of the body → MAAD-Face's categories of which a word says all already: "hirsute chin", "hair in ringlets"."""

PLACE = frozenset(words("on in around over under upon at from"))

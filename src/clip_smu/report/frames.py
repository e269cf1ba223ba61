"""What a reader must know besides the figures: limits of the labels, NIST's four principles, the law of the EU.

The texts are tables; what they say of *this* measurement is filled in from the report's content.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clip_smu.report.findings import percent


@dataclass(frozen=True, slots=True)
class Provision:
    """One provision of law.

    Attributes:
        act, article: where it stands.
        says: what it says, in short.
        here: what that means for readings of face templates.
    """

    act: str
    article: str
    says: str
    here: str


NOT_ADVICE = (
    "This page names provisions that bear on the subject. It is not legal advice, it is not complete, and only the "
    "texts of the law count: Regulation (EU) 2016/679 (GDPR) and Regulation (EU) 2024/1689 (AI Act)."
)

GDPR, AI_ACT = "GDPR", "AI Act"
LAW = (
    Provision(
        GDPR, "Art. 4(14)",
        "Biometric data are personal data from specific technical processing of physical, physiological or behavioural "
        "characteristics that allow or confirm the unique identification of a person, such as facial images.",
        "A face template is made to identify: treat every template as biometric data, also without a name beside it.",
    ),
    Provision(
        GDPR, "Art. 9(1), 9(2)",
        "Processing of data that reveal racial or ethnic origin, among others, and of biometric data for the "
        "purpose of "
        "uniquely identifying a person, is prohibited unless one of the exceptions of Art. 9(2) applies.",
        "Reading Asian, White or Black from a template is processing that reveals racial or ethnic origin. What can be "
        "inferred counts too: the Court of Justice reads Art. 9 as covering data that reveal such traits indirectly "
        "(C-184/20). Gender and age are not special categories by themselves.",
    ),
    Provision(
        GDPR, "Art. 5(1)(b), 5(1)(c), 25",
        "Purpose limitation, data minimisation, data protection by design.",
        "A template stored to recognise someone also holds what this report lists. That is a reason to protect, to "
        "shorten "
        "retention, or to erase attributes from templates; it is no licence to read them.",
    ),
    Provision(
        GDPR, "Art. 35(3)(b)",
        "A data-protection impact assessment is required for large-scale processing of special categories.",
        "Measuring what one's own templates give away, on labelled test data, can be part of that assessment. "
        "Document it "
        "as such.",
    ),
    Provision(
        AI_ACT, "Art. 3(40)",
        "A biometric categorisation system assigns natural persons to specific categories on the basis of their "
        "biometric "
        "data, unless it is ancillary to another commercial service and strictly necessary for objective technical "
        "reasons.",
        "Running readings over the templates of individual persons to sort them is biometric categorisation; a "
        "measurement "
        "over a labelled sample, to learn what templates give away, is another purpose.",
    ),
    Provision(
        AI_ACT, "Art. 5(1)(g)",
        "Prohibited: placing on the market, putting into service for this purpose, or using biometric "
        "categorisation systems "
        "that categorise individually natural persons on the basis of their biometric data to deduce or infer their "
        "race, "
        "political opinions, trade union membership, religious or philosophical beliefs, sex life or sexual "
        "orientation. "
        "Labelling or filtering of lawfully acquired biometric datasets, and categorising of biometric data in law "
        "enforcement, are not covered by the prohibition.",
        "Of the 47 attributes this concerns Asian, White and Black. Do not read them of individual persons; hide them "
        "(--hide race) wherever readings of single templates are shown.",
    ),
    Provision(
        AI_ACT, "Art. 6(2), Annex III point 1(b)",
        "High-risk, in so far as permitted by law at all: AI systems intended for biometric categorisation "
        "according to "
        "sensitive or protected attributes or characteristics, based on the inference of those.",
        "A system meant to read, say, gender or age of persons may fall here, with the duties of Chapter III (risk "
        "management, "
        "data governance, documentation, human oversight and more).",
    ),
    Provision(
        AI_ACT, "Art. 5(1)(f), Annex III point 1(c)",
        "Inferring emotions at work or in education is prohibited (except for medical or safety reasons); other "
        "emotion "
        "recognition is high-risk.",
        "Smiling is a visible expression. Recital 18 does not count its mere detection as emotion recognition, "
        "unless it is "
        "used to infer emotions.",
    ),
    Provision(
        AI_ACT, "Art. 50(3)",
        "Deployers of a biometric categorisation system inform the natural persons exposed to it, and process their "
        "data in "
        "accordance with the GDPR.",
        "Whoever deploys readings of persons must tell them. A measurement on a test set exposes nobody to such a "
        "system, "
        "but its data are still personal data.",
    ),
    Provision(
        AI_ACT, "Art. 2(6)",
        "AI systems and models developed and put into service for the sole purpose of scientific research and "
        "development "
        "are outside the regulation.",
        "This can cover research with CLIP-SMU. It does not cover what is later put to other use, and the GDPR stays.",
    ),
)  # fmt: skip

LABEL_LIMITS = (
    "Every figure says how well readings agree with labels, not how well they agree with persons. Where labels are "
    "wrong, a "
    "right reading counts as an error, and readings that repeat the labels' mistakes count as right.",
    "The 47 categories are narrow: two genders, three races, and words such as attractive or chubby that are "
    "opinions. A "
    "label says what someone or something saw in a photo, not who a person is.",
    "A label of 0 is unknown. It is left out of every figure and never counts as no; so figures speak of the clear "
    "cases.",
    "The share of right labels on each card is MAAD-Face's own human check of its labels (on VGGFace2, a sample). "
    "For labels "
    "made otherwise it is a hint and no more.",
)


def principles(content: dict[str, Any]) -> list[dict[str, str]]:
    """NIST IR 8312's four principles of explainable AI, and how this measurement meets each, or does not."""
    measured, lead = content["measured"], content["lead"]
    counted = sum(card["auc"] is not None for card in content["attributes"])
    wrong = _share(
        lead["error"],
        "of the asserted verdicts were wrong",
        "the error of asserted verdicts was not measured",
    )
    told = _share(
        lead["coverage"],
        "of the readings got a verdict, the others cannot be told",
        "coverage was not measured",
    )
    never = sum(card["level"] in ("not readable", "not measured") for card in content["attributes"])
    erased = content["erasure"] is not None
    return [
        {
            "principle": "Explanation",
            "asks": "A system delivers accompanying evidence or reasons for its outputs or processes.",
            "given": f"Each of {len(content['attributes'])} attributes has a card: how well it is told ({counted} "
                     f"measured, with 95 % "
            "intervals that count persons, not photos), on how many faces, and how often verdicts on it were wrong.",
            "missing": "Why the encoder's training put an attribute into its templates is not explained.",
        },
        {
            "principle": "Meaningful",
            "asks": "Explanations are understandable to those whom they are for.",
            "given": "The finding is three sentences without a formula, each card has one sentence, verdicts are "
                     "words (encoded, "
            "not encoded, cannot tell), and colours never stand alone.",
            "missing": "Whether readers do understand it was not tested with readers.",
        },
        {
            "principle": "Explanation accuracy",
            "asks": "An explanation correctly reflects the reason for the output, or the system's process.",
            "given": f"Readings were measured on {measured['photos']:,} photos against {measured['labels_are']}. "
            + (
                "Erasure shows in addition whether recognition itself uses an attribute."
                if erased
                else "Whether recognition itself uses an attribute was not measured (clip-smu erase)."
            ),
            "missing": "A reading says what is in a template. It is not the reason why two faces were matched, and "
                       "an attribute may "
            "be read by way of another (see confounds).",
        },
        {
            "principle": "Knowledge limits",
            "asks": "A system operates only under conditions for which it was designed, and when it is confident "
                    "enough.",
            "given": f"{wrong}; {told}. Of the attributes shown "
            f"{never or 'none'} {'is' if never < 2 else 'are'} told no better than by chance or could not be measured.",
            "missing": "On photos unlike those measured (other cameras, ages, origins) none of these figures holds "
                       "without a new "
            "measurement.",
        },
    ]  # fmt: skip


def _share(value: float | None, text: str, otherwise: str) -> str:
    return otherwise[0].upper() + otherwise[1:] if value is None else f"{percent(value)} {text}"

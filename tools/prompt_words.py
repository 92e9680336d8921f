"""What the prompt rules know of words: domains, weather, negations, how words compare and count."""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

CountTokens = Callable[[str], int]
Facet = tuple[str, str]  # (what is said, which one of its values): ("time", "night")


def _bag(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What can be a picture's whole subject, and decides its domain.
SUBJECTS = {
    "architecture": _bag(
        """airport apartments arcade architecture barn bridge building bungalow cabin campus castle
        cathedral chalet chapel church city cityscape condominium cottage courthouse courtyard
        district dome downtown embassy factory farmhouse fort fortress gallery garage greenhouse
        hangar harbour headquarters highrise hospital hostel hotel house housing hut igloo kiosk
        library lighthouse lodge mansion mausoleum mill monastery monument mosque museum
        observatory office pagoda palace pavilion plaza pier prison pyramid ranch residence resort
        school shed shop shrine silo skyline skyscraper stadium stable station store street
        streetscape synagogue temple tenement terminal theatre tower town townhouse treehouse
        university viaduct villa village warehouse windmill winery"""
    ),
    "interior": _bag(
        """atrium attic auditorium ballroom bar bathroom bedroom boutique cafe canteen cellar
        chamber classroom cloakroom conservatory corridor den foyer gym hall hallway interior
        kitchen lab lobby loft lounge nook nursery pantry parlour penthouse playroom reception
        restaurant room salon sauna showroom spa stairwell studio suite sunroom vestibule wardrobe
        washroom workshop workspace"""
    ),
    "product": _bag(
        """armchair backpack bag bench bicycle bike boat boot bottle bowl box bracelet bus camera
        car chair clock console cup desk device dress drone earphones earring fork furniture gadget
        glasses guitar gun handbag headphones helmet jacket jar jewellery keyboard kettle knife
        laptop limousine loudspeaker machine motorbike motorcycle mug necklace necktie ottoman
        package packaging pan pen perfume phone piano plane plate pot product purse radio ring
        rocket scooter ship shoe shoes sneaker sneakers sofa spaceship speaker spoon stool suitcase
        sunglasses sword table tableware teapot telephone tent toaster tool toy tractor train tram
        truck van vase vehicle violin wallet watch yacht zeppelin airship"""
    ),
    "landscape": _bag(
        """archipelago bay beach bog canyon cave cliff coast coastline countryside creek desert
        dune farmland field fjord forest garden glacier glade gorge grassland grove heath hill
        hillside island jungle lagoon lake landscape marsh meadow moor mountain mountainside oasis
        ocean orchard park pasture peak plains plateau pond prairie rainforest ravine reef
        reservoir ridge river riverbank savanna scenery sea seascape seashore shore shoreline
        steppe stream swamp tundra valley vineyard volcano waterfall wave wetland wilderness woods
        woodland"""
    ),
    "character": _bag(
        """actor alien angel animal archer artist assassin astronaut baby ballerina barista bear
        bird boy bride bunny butterfly cat character chef chicken child clown cow cowboy creature
        cyborg dancer deer demon detective dog dolphin dragon duck eagle elephant elf explorer face
        fairy farmer fish fisherman fox frog gardener ghost giraffe girl gnome goblin goddess
        gorilla hero heroine horse hunter kid king kitten knight lady leopard lion mage man mermaid
        monk monkey monster mouse musician nurse octopus orc owl panda parrot penguin person pilot
        pirate portrait priest prince princess puppy queen rabbit raven robot sailor samurai
        scientist selfie shark sheep shepherd singer snake soldier sorcerer squirrel student
        superhero swan teacher tiger turtle unicorn vampire viking villain warrior whale witch
        wizard wolf woman worker zebra zombie"""
    ),
    "abstract": _bag(
        """abstract abstraction arabesque blob blot chaos chevron collage composition confetti
        cosmos cube ellipse fractal galaxy geometry glyph helix hexagon infinity kaleidoscope
        labyrinth lattice mandala maze mobius moire mosaic nebula octagon ornament paisley pattern
        pentagon plaid polygon polyhedron prism ripple shard spiral splash splatter squiggle swirl
        tartan tessellation trapezoid turbulence vortex wallpaper zigzag"""
    ),
}

# What belongs to a picture: it hints at the domain, but is no new subject on its own.
PARTS = {
    "architecture": _bag(
        """arch awning balcony beam buttress canopy chimney colonnade column cornice dormer
        driveway entrance facade fence gable gate parapet path pavement pillar porch portal portico
        road roof rooftop scaffold sidewalk spire steeple terrace turret vault veranda wall
        window"""
    ),
    "interior": _bag(
        """bath bathtub bed blind bookcase bookshelf cabinet candelabra carpet ceiling chandelier
        counter cupboard curtain cushion door drape drawer fireplace floor fridge lamp mirror
        nightstand oven painting panelling partition pillow railing rug shelf shelving shower
        sideboard sink stair staircase stove"""
    ),
    "product": _bag(
        "button buckle cable dial handle hinge knob label lid logo screen strap wheel zip"
    ),
    "landscape": _bag(
        """boulder branch mushroom bush cactus cloud fern flower foliage fountain grass hedge horizon ivy
        leaf moon moss palm plant pine pool reed rock rose sand sky snowdrift star sun tree trunk
        tulip vine water"""
    ),
    "character": _bag(
        """arm beard cape cloak costume crowd crown expression eye feather figure fur gesture hair
        hand hat head mask outfit people pose robe scarf smile tail uniform wing"""
    ),
    "abstract": _bag(
        """circle curve dot emotion energy form gradient grid harmony line motif motion rectangle
        rhythm shape sphere square stripe symbol texture triangle"""
    ),
}
DOMAINS = tuple(SUBJECTS)
UNKNOWN_DOMAIN = "abstract"  # no subject is known: only phrases that suit anything

# Ends of compound words that are no words of the lists above: "boathouse", "tearoom", "moonscape".
ENDINGS = {
    "house": "architecture",
    "tower": "architecture",
    "bridge": "architecture",
    "room": "interior",
    "chair": "product",
    "boat": "product",
    "ship": "product",
    "bike": "product",
    "scape": "landscape",
    "land": "landscape",
    "woman": "character",
    "man": "character",
    "girl": "character",
    "boy": "character",
}

FACETS = {
    "time": {
        "dawn": "dawn, daybreak, sunrise, first light",
        "morning": "morning",
        "day": "day, daylight, daytime, midday, noon, afternoon, sunny, sunlit, sunshine",
        "sunset": "sunset, sundown, golden hour",
        "dusk": "dusk, twilight, evening, nightfall, blue hour",
        "night": "night, nighttime, nocturnal, midnight, moonlit, moonlight, starry, starlit",
    },
    "weather": {
        "clear": "sunny, sunshine, cloudless, clear sky, clear skies, blue sky",
        "cloud": "overcast, cloudy, grey sky, gray sky",
        "rain": "rain, rainy, raining, rainfall, drizzle, downpour, storm, stormy, thunderstorm",
        "snow": "snow, snowy, snowing, snowfall, snowstorm, blizzard, snow covered",
        "fog": "fog, foggy, mist, misty, haze, hazy",
    },
    "season": {
        "spring": "spring, springtime",
        "summer": "summer, summertime, summery",
        "autumn": "autumn, autumnal",
        "winter": "winter, wintertime, wintry",
    },
    "warmth": {
        "warm": "warm, warmer, cosy, cosier, cozy, cozier",
        "cool": "cool, cooler, cold, colder, chilly, icy, frosty",
    },
    "brightness": {
        "dark": "dark, darker, dim, dimmer, dimly lit, gloomy, gloomier, moody, shadowy, candlelit",
        "bright": "bright, brighter, airy, airier, luminous",
    },
    "density": {
        "spare": "minimal, minimalist, simple, simpler, plain, plainer, sparse, bare, uncluttered",
        "rich": "ornate, intricate, lavish, busy, cluttered, elaborate, opulent, maximalist",
    },
    "wear": {
        "worn": "ruin, ruins, ruined, abandoned, derelict, weathered, rusty, crumbling",
        "new": "polished, pristine, sleek, gleaming, spotless",
    },
    "colour": {
        "mono": "monochrome, monochromatic, grayscale, greyscale, black and white, colourless",
        "full": "colourful, vibrant, saturated, multicoloured",
    },
}

# The words that speak of each slot of the rules: who named a light gets no light added.
SPOKEN = {
    "lighting": _bag(
        """backlight backlit candle candlelight chiaroscuro daylight floodlit glow glowing lamp
        lamplight lantern light lighted lighting lit moonlight neon shade shadow spotlight
        starlight sunbeam sunlight torch"""
    ),
    "composition": _bag(
        """aerial angle axonometric centred centered closeup composition crop elevation foreground
        frame framing isometric layout overhead panorama panoramic perspective section symmetrical
        symmetry view viewpoint wide"""
    ),
    "material": _bag(
        """acrylic aluminium aluminum bamboo brass brick bronze canvas cardboard cement ceramic
        chrome clay cloth concrete copper cork cotton denim enamel fabric felt fur glass gold
        granite iron lace lacquer leather limestone linen marble metal metallic mohair oak paper
        plaster plastic plywood porcelain rattan resin rubber sandstone satin silk silver slate
        steel stone straw stucco teak terracotta terrazzo tile timber travertine tweed velvet
        walnut wicker wood wooden wool"""
    ),
    "quality": _bag("crisp detail detailed hd hires hq masterpiece quality sharp uhd"),
}

COLOURS = _bag(
    """amber azure beige black blue brown burgundy colour cream crimson cyan emerald gold golden
    green grey indigo ivory lavender lilac magenta maroon mauve mint mustard navy ochre olive
    orange peach pink purple red rose ruby rust sage scarlet silver tan teal turquoise vermilion
    violet white yellow pastel"""
)

# Names of looks: on their own they change the present picture, they do not replace it.
LOOKS = _bag(
    """anime art baroque bauhaus blueprint brutalism brutalist cartoon century classic classical
    comic contemporary countryside cubist cyberpunk deco drawing expressionist film futuristic
    ghibli gothic illustration impressionist industrial ink japandi linocut look lowpoly medieval
    memphis mid minimalism modern modernist noir nordic nouveau oil painting papercut pastoral
    pencil photo photograph photorealistic pixel pop poly poster print realistic renaissance retro
    rococo rustic scandi scandinavian scifi sketch stained steampunk style surreal traditional
    ukiyo vaporwave version victorian vintage watercolour woodblock"""
)

STOP_WORDS = _bag(
    """a about above across after again against all along also always am among an and another any
    anything are around as at away back be because been before behind being below beneath beside
    besides between beyond both but by can could did do does doing done down during each either
    else enough etc even ever every everything few for from get gets give going got had has have
    having he her here hers him his how i if in inside instead into is isn it its itself just kind
    let like ll lot lots made make makes making many may maybe me mine more most much must my near
    nearby need next no nor not nothing now of off ok okay on once one only onto or other our ours
    out outside over own part per perhaps please put quite rather re really same shall she should
    since so some something sort such t than that the their them then there these they thing things
    this those though through thus to together too toward towards under until up upon us use used
    uses using various ve very via want wants was we well were what when where which while who
    whose why will with within without would yeah yes yet you your yours d m s don doesn didn im id wanna
    gonna thanks thank hi hello hey"""
)
PREPOSITIONS = _bag(
    """about above across after against along among around at before behind below beneath beside
    between beyond by during for from in inside into near of off on onto out outside over past
    through to toward towards under upon via where while with within without and but featuring
    facing holding overlooking"""
)
DETERMINERS = _bag(
    "a an the his her its their my our your this that these those some any every each"
)

# They open a message without saying anything about the picture.
LEAD_INS = _bag(
    """please now ok okay and so then but also instead can could would you will i want need like to
    let us me make draw show create generate paint render imagine design give try do add put have
    include turn change it this that them everything all look looks picture image"""
)
# They speak of the picture that is there.
BACK_REFERENCES = _bag(
    "it this that them everything same again keep add also remove replace change turn"
)
COMPARATIVES = _bag(
    """more less fewer warmer cooler colder darker dimmer brighter lighter softer sharper bigger
    larger smaller taller shorter wider narrower higher lower closer nearer farther further thicker
    thinner simpler plainer cleaner richer busier calmer moodier gloomier cosier cozier airier
    greener bluer redder older newer younger bolder rougher smoother quieter bit slightly little
    too"""
)
NEGATORS = _bag("no not without never minus remove delete exclude avoid dont don't doesn't isn't")
AFTER_NEGATORS = _bag(
    """any the a an more too so very much longer at in on be add show include have use want to put
    draw that this those these my your"""
)
# A time or a weather in front of one of these is part of its name: "night club", "snow leopard".
COMPOUNDS = _bag(
    """club market stand gown dress bed owl shift bus train star table school nurse watch lamp
    leopard man woman white globe ball queen king board mobile boots boot coat jacket hat forest
    barrel horn machine garden palace olympics room brew chocolate bird guard rider sports collar
    roll onion water"""
)

_CJK = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_CONTRACTION = re.compile(r"'(?:s|d|ll|re|ve|m)$")
_TOKEN = re.compile(rf"[{_CJK}]|[^\W{_CJK}]+|[^\w\s]")
_IRREGULAR = {
    "women": "woman",
    "men": "man",
    "children": "child",
    "mice": "mouse",
    "geese": "goose",
    "feet": "foot",
    "teeth": "tooth",
    "gray": "grey",
    "lit": "light",
    "theater": "theatre",
    "jewelry": "jewellery",
}


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a text."""

    text: str  # folded: lower case, no accents, no "'s"
    start: int
    end: int
    breaks: bool  # punctuation stands between it and the word before


@dataclass(frozen=True, slots=True)
class Mention:
    """Words of a text that say a time, a weather, a mood."""

    first: int  # index into `words(text)`
    last: int
    facet: Facet


def clean(text: str) -> str:
    """Make `text` one line of printable characters, NFC, single-spaced; words stay as they are."""
    kept = (
        "" if unicodedata.category(char) == "Cf" else char if char.isprintable() else " "
        for char in unicodedata.normalize("NFC", text)
    )
    return " ".join("".join(kept).split())


def fold(text: str) -> str:
    """Reduce `text` to what is compared: no case, no accents, plain apostrophes."""
    plain = unicodedata.normalize("NFKD", text.casefold().replace("’", "'"))
    return "".join(char for char in plain if not unicodedata.combining(char))


def words(text: str) -> list[Word]:
    """Return the words of `text` in order; a hyphen parts two words without a break."""
    found: list[Word] = []
    for match in _WORD.finditer(text):
        gap = text[found[-1].end : match.start()] if found else ""
        text_only = _CONTRACTION.sub("", fold(match[0]))
        breaks = bool(re.search(r"[^\s\-’']", gap))
        found.append(Word(text_only, match.start(), match.end(), breaks))
    return found


@lru_cache(maxsize=4096)
def forms(word: str) -> frozenset[str]:
    """Return the spellings a folded `word` may go back to; two words are one where these meet.

    Plurals, -ing, -ed, a few irregulars, -our and -or: a rough lemma, too generous on
    purpose.
    """
    found = {word, _IRREGULAR.get(word, word), re.sub(r"our(?=$|s$|ed$|ing$|ful$)", "or", word)}
    for ending, instead in (
        ("ies", "y"),
        ("ves", "f"),
        ("ves", "fe"),
        ("es", ""),
        ("s", ""),
        ("ing", ""),
        ("ing", "e"),
        ("ied", "y"),
        ("ed", ""),
        ("ed", "e"),
    ):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            found.add(word.removesuffix(ending) + instead)
    return frozenset(found)


def among(word: str, known: frozenset[str]) -> bool:
    """Tell whether a form of the folded `word` is in `known`."""
    return not known.isdisjoint(forms(word))


def content_words(text: str) -> list[str]:
    """Return the folded words of `text` that carry meaning (no stop words), each once, in order."""
    found = (word.text for word in words(text))
    return list(dict.fromkeys(w for w in found if w not in STOP_WORDS and w not in NEGATORS))


def missing(wanted: Iterable[str], text: str) -> list[str]:
    """Return the folded words of `wanted` that `text` holds in no form."""
    present = frozenset().union(*(forms(word.text) for word in words(text)))
    return [word for word in wanted if present.isdisjoint(forms(word))]


def count_tokens(text: str) -> int:
    """Count words, punctuation marks and CJK characters: a stand-in for a tokenizer."""
    return len(_TOKEN.findall(text))


def cut(text: str, budget: int, count: CountTokens) -> str:
    """Return the longest beginning of `text` in `budget` tokens that ends with a word.

    Where not even the first word fits, it is cut inside.
    """
    if count(text) <= budget:
        return text
    parts = text.split(" ")
    fitting = _most(parts, " ", budget, count)
    if fitting > 0:
        return " ".join(parts[:fitting]).rstrip(" ,;:-")
    return parts[0][: max(0, _most(parts[0], "", budget, count))]


def _most(parts: Sequence[str], glue: str, budget: int, count: CountTokens) -> int:
    sizes = range(len(parts) + 1)
    return bisect_right(sizes, budget, key=lambda size: count(glue.join(parts[:size]))) - 1


def negations(text: str) -> list[tuple[int, int, str]]:
    """Find what `text` does not want ("no cars or people"): (first, last, what), by word index."""
    said, found, at = words(text), list[tuple[int, int, str]](), 0
    while at < len(said):
        first, negated = at, said[at].text in NEGATORS
        at += 1
        while negated:
            while at < len(said) and said[at].text in AFTER_NEGATORS and not said[at].breaks:
                at += 1
            start = at
            while (
                at < min(len(said), start + 3)
                and not said[at].breaks
                and said[at].text not in STOP_WORDS | PREPOSITIONS
            ):
                at += 1
            if start < at:
                what = " ".join(word.text for word in said[start:at])
                found.append((first, at - 1, what))
            negated = start < at < len(said) and said[at].text in {"or", "nor"}
            first, at = at, at + negated
    return found


@lru_cache(maxsize=512)
def mentions(text: str) -> tuple[Mention, ...]:
    """Find the times, weathers and moods that `text` asks for, the negated ones left out."""
    said = words(text)
    refused = {i for first, last, _ in negations(text) for i in range(first, last + 1)}
    found, at = list[Mention](), 0
    while at < len(said):
        size, facets = next(
            (
                (size, _TERMS[term])
                for size in (3, 2, 1)
                if (term := tuple(word.text for word in said[at : at + size])) in _TERMS
                and len(term) == size
            ),
            (1, ()),
        )
        following = said[at + size] if at + size < len(said) else None
        noun = not said[at + size - 1].text.endswith(("y", "er", "ed", "ing"))
        named = noun and following and not following.breaks and among(following.text, COMPOUNDS)
        if facets and at not in refused and not named:
            found.extend(Mention(at, at + size - 1, facet) for facet in facets)
        at += size
    return tuple(found)


def facets(text: str) -> frozenset[Facet]:
    """Return what `text` says about time, weather and mood."""
    return frozenset(mention.facet for mention in mentions(text))


def contradicts(one: frozenset[Facet], other: frozenset[Facet]) -> bool:
    """Tell whether both speak of one thing and agree in no value of it."""
    shared = {name for name, _ in one} & {name for name, _ in other}
    agreed = {name for name, _ in one & other}
    return bool(shared - agreed)


def domain_of(text: str) -> tuple[str, str | None]:
    """Return the domain of `text` and the word that decided, None where no word is known.

    English says its subject first and the head of a compound last, so: the last known subject of
    the first phrase that holds one ("art deco hotel lobby | at dusk": lobby). Then the same
    with parts.
    """
    phrases = list(_phrases(text))
    for known in (subject_domain, _part_domain):
        for phrase in phrases:
            for word in reversed(phrase):
                if domain := known(word):
                    return domain, word
    return UNKNOWN_DOMAIN, None


@lru_cache(maxsize=4096)
def subject_domain(word: str) -> str | None:
    """Return the domain of a folded `word` that can be a picture's whole subject, else None."""
    for domain, lexicon in SUBJECTS.items():
        if among(word, lexicon):
            return domain
    if _part_domain(word) or word in LOOKS:
        return None
    for ending, domain in ENDINGS.items():
        if any(form.endswith(ending) and len(form) >= len(ending) + 3 for form in forms(word)):
            return domain
    return None


def _part_domain(word: str) -> str | None:
    return next((domain for domain, parts in PARTS.items() if among(word, parts)), None)


def _phrases(text: str) -> Iterable[list[str]]:
    refused = {i for first, last, _ in negations(text) for i in range(first, last + 1)}
    phrase: list[str] = []
    for index, word in enumerate(words(text)):
        known = subject_domain(word.text) or _part_domain(word.text)
        verb = word.text.endswith("ing") and not known
        joint = word.text in PREPOSITIONS or word.text in DETERMINERS or verb or index in refused
        if (word.breaks or joint) and phrase:
            yield phrase
            phrase = []
        if not joint:
            phrase.append(word.text)
    if phrase:
        yield phrase


def without(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """Take spans of words (first, last) out of `text`, with the "at the" that then hangs loose."""
    said = words(text)
    taken = {i for first, last in spans for i in range(first, last + 1)}
    for before, after in pairwise(sorted(taken)):
        if all(word.text in {"and", "or"} for word in said[before + 1 : after]):
            taken.update(range(before, after))
    for index in sorted(taken):
        following = said[index + 1] if index + 1 < len(said) else None
        if index + 1 in taken or (
            following and not following.breaks and following.text not in PREPOSITIONS
        ):
            continue
        while index - 1 in taken:
            index -= 1
        while index > 0 and not said[index].breaks and said[index - 1].text in STOP_WORDS:
            index -= 1
            taken.add(index)
    pieces, at = list[str](), 0
    for index, word in enumerate(said):
        if index in taken:
            pieces.append(text[at : word.start])
            at = word.end
    left = "".join([*pieces, text[at:]])
    left = re.sub(r"\s+(?=[,;.])", "", " ".join(left.split()))
    return re.sub(r"([,;.])(?:\s*[,;.])+", r"\1", left).strip(" ,;-")


def _terms() -> dict[tuple[str, ...], tuple[Facet, ...]]:
    terms: dict[tuple[str, ...], tuple[Facet, ...]] = {}
    for name, values in FACETS.items():
        for value, listed in values.items():
            for term in listed.split(", "):
                key = tuple(term.split())
                terms[key] = (*terms.get(key, ()), (name, value))
    return terms


_TERMS = _terms()

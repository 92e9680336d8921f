"""The vocabulary of English that the prompt rules know, as data."""

Facet = tuple[str, str]  # (what is said, which one of its values): ("time", "night")


def bag(text: str) -> frozenset[str]:
    """The words of `text`, as a set."""
    return frozenset(text.split())


def _terms(text: str) -> frozenset[tuple[str, ...]]:
    return frozenset(tuple(term.split()) for term in text.split(","))


# What can be a picture's whole subject, and decides its domain.
SUBJECTS = {
    "architecture": bag(
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
    "interior": bag(
        """atrium attic auditorium ballroom bar bathroom bedroom boutique cafe canteen cellar
        chamber classroom cloakroom conservatory corridor den foyer gym hall hallway interior
        kitchen lab lobby loft lounge nook nursery pantry parlour penthouse playroom reception
        restaurant room salon sauna showroom spa stairwell studio suite sunroom vestibule wardrobe
        washroom workshop workspace"""
    ),
    "product": bag(
        """armchair backpack bag bench bicycle bike boat boot bottle bowl box bracelet bus camera
        car chair clock console cup desk device dress drone earphones earring fork furniture gadget
        glasses guitar gun handbag headphones helmet jacket jar jewellery keyboard kettle knife
        laptop limousine loudspeaker machine motorbike motorcycle mug necklace necktie ottoman
        package packaging pan pen perfume phone piano plane plate pot product purse radio ring
        rocket scooter ship shoe shoes sneaker sneakers sofa spaceship speaker spoon stool suitcase
        sunglasses sword table tableware teapot telephone tent toaster tool toy tractor train tram
        truck van vase vehicle violin wallet watch yacht zeppelin airship"""
    ),
    "landscape": bag(
        """archipelago bay beach bog canyon cave cliff coast coastline countryside creek desert
        dune farmland field fjord forest garden glacier glade gorge grassland grove heath hill
        hillside island jungle lagoon lake landscape marsh meadow moor mountain mountainside oasis
        ocean orchard park pasture peak plains plateau pond prairie rainforest ravine reef
        reservoir ridge river riverbank savanna scenery sea seascape seashore shore shoreline
        steppe stream swamp tundra valley vineyard volcano waterfall wave wetland wilderness woods
        woodland"""
    ),
    "character": bag(
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
    "abstract": bag(
        """abstract abstraction arabesque blob blot chaos chevron collage composition confetti
        cosmos cube ellipse fractal galaxy geometry glyph helix hexagon infinity kaleidoscope
        labyrinth lattice mandala maze mobius moire mosaic nebula octagon ornament paisley pattern
        pentagon plaid polygon polyhedron prism ripple shard spiral splash splatter squiggle swirl
        tartan tessellation trapezoid turbulence vortex wallpaper zigzag"""
    ),
}

# What belongs to a picture: it hints at the domain, but is no new subject on its own.
PARTS = {
    "architecture": bag(
        """arch awning balcony beam buttress canopy chimney colonnade column cornice dormer
        driveway entrance facade fence gable gate parapet path pavement pillar porch portal portico
        road roof rooftop scaffold sidewalk spire steeple terrace turret vault veranda wall
        window"""
    ),
    "interior": bag(
        """bath bathtub bed blind bookcase bookshelf cabinet candelabra carpet ceiling chandelier
        counter cupboard curtain cushion door drape drawer fireplace floor fridge lamp mirror
        nightstand oven painting panelling partition pillow railing rug shelf shelving shower
        sideboard sink stair staircase stove"""
    ),
    "product": bag(
        "button buckle cable dial handle hinge knob label lid logo screen strap wheel zip"
    ),
    "landscape": bag(
        """boulder branch mushroom bush cactus cloud fern flower foliage fountain grass hedge horizon ivy
        leaf moon moss palm plant pine pool reed rock rose sand sky snowdrift star sun tree trunk
        tulip vine water"""
    ),
    "character": bag(
        """arm beard cape cloak costume crowd crown expression eye feather figure fur gesture hair
        hand hat head mask outfit people pose robe scarf smile tail uniform wing"""
    ),
    "abstract": bag(
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
    "lighting": bag(
        """backlight backlit candle candlelight chiaroscuro daylight floodlit glow glowing lamp
        lamplight lantern light lighted lighting lit moonlight neon shade shadow spotlight
        starlight sunbeam sunlight torch"""
    ),
    "composition": bag(
        """aerial angle axonometric centred centered closeup composition crop elevation foreground
        frame framing isometric layout overhead panorama panoramic perspective section symmetrical
        symmetry view viewpoint wide"""
    ),
    "material": bag(
        """acrylic aluminium aluminum bamboo brass brick bronze canvas cardboard cement ceramic
        chrome clay cloth concrete copper cork cotton denim enamel fabric felt fur glass gold
        granite iron lace lacquer leather limestone linen marble metal metallic mohair oak paper
        plaster plastic plywood porcelain rattan resin rubber sandstone satin silk silver slate
        steel stone straw stucco teak terracotta terrazzo tile timber travertine tweed velvet
        walnut wicker wood wooden wool"""
    ),
    "quality": bag("crisp detail detailed hd hires hq masterpiece quality sharp uhd"),
}

COLOURS = bag(
    """amber azure beige black blue brown burgundy colour cream crimson cyan emerald gold golden
    green grey indigo ivory lavender lilac magenta maroon mauve mint mustard navy ochre olive
    orange peach pink purple red rose ruby rust sage scarlet silver tan teal turquoise vermilion
    violet white yellow pastel"""
)

NUMBERS = bag(
    """zero one two three four five six seven eight nine ten eleven twelve thirteen fifteen twenty
    thirty forty fifty hundred dozen single several many few pair couple"""
)
SIZES = bag(
    "big large huge giant tiny small little tall short wide narrow long thick thin high low"
)
SHADES = bag("dark light pale deep bright soft hot neon")  # in front of a colour
# What is said of a thing in one word; a thing has one of each kind.
QUALITIES = {
    "number": NUMBERS,
    "colour": COLOURS,
    "material": SPOKEN["material"],
    "size": SIZES,
}

# Names of looks: on their own they change the present picture, they do not replace it.
LOOKS = bag(
    """anime art baroque bauhaus blueprint brutalism brutalist cartoon century classic classical
    comic contemporary countryside cubist cyberpunk deco drawing expressionist film futuristic
    ghibli gothic illustration impressionist industrial ink japandi linocut look lowpoly medieval
    memphis mid minimalism modern modernist noir nordic nouveau oil painting papercut pastoral
    pencil photo photograph photorealistic pixel pop poly poster print realistic renaissance retro
    rococo rustic scandi scandinavian scifi sketch stained steampunk style surreal traditional
    ukiyo vaporwave version victorian vintage watercolour woodblock"""
)

STOP_WORDS = bag(
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
PREPOSITIONS = bag(
    """about above across after against along among around at before behind below beneath beside
    between beyond by during for from in inside into near of off on onto out outside over past
    through to toward towards under upon via where while with within without and but featuring
    facing holding overlooking"""
)
DETERMINERS = bag(
    "a an the his her its their my our your this that these those some any every each"
)

# They open a message without saying anything about the picture.
LEAD_INS = bag(
    """please now ok okay and so then but also instead can could would you will i want need like to
    let us me make draw show create generate paint render imagine design give try do add put have
    include turn change it this that them everything all look looks picture image"""
)
# They speak of the picture that is there.
BACK_REFERENCES = bag(
    "it this that them everything same again another keep add also remove replace change turn"
)
COMPARATIVES = bag(
    """more less fewer warmer cooler colder darker dimmer brighter lighter softer sharper bigger
    larger smaller taller shorter wider narrower higher lower closer nearer farther further thicker
    thinner simpler plainer cleaner richer busier calmer moodier gloomier cosier cozier airier
    greener bluer redder older newer younger bolder rougher smoother quieter bit slightly little
    too"""
)
NEGATORS = bag(
    """no not without never minus remove delete exclude avoid omit erase sans lacking neither nobody
    dont don't doesn't isn't aren't shouldn't"""
)
# They negate where they stand together, or, in front of "the", where a clause begins.
NEGATOR_PHRASES = _terms(
    """get rid of, do away with, take away, take out, leave out, free of, free from, devoid of,
    empty of, instead of, rather than, no one"""
)
DISMISSALS = bag("lose drop skip ditch scrap hide forget")
AFTER_NEGATORS = bag(
    """any the a an more too so very much longer at in on be add show include have has use want to
    put draw paint that this those these my your other single see like of either there really
    quite"""
)
# What is no refusal although it begins with a negator.
IDIOMS = _terms(
    """no doubt, no matter, no problem, no idea, no nonsense, no man land, no end, no need, no rush,
    no worries, no wonder, no big deal, no entry sign, no parking sign, no smoking sign, no way,
    not far, not only, not just, not merely, not yet, not even, not to mention, not sure, not least,
    not unlike, not disturb, not necessarily, without doubt, without a doubt, without question,
    without end, without exception, without further ado, never ending, never mind, free of charge,
    minus sign"""
)
# "no kind of tree" refuses trees.
PARTITIVES = bag(
    "sign signs trace traces hint hints kind kinds sort sorts type types form bit lots"
)
# Where a refused thing would be, when that is nothing of its own: "no cars in sight".
NOWHERE = bag(
    """all anywhere whatsoever around visible sight view it them here there picture image scene
    frame shot photo background foreground distance middle centre center corner please"""
)
# What follows them is lettering: "a sign that says no entry".
SAYING = bag(
    """says saying said spells spelling reads labelled labeled titled entitled captioned inscribed
    called named words word text slogan title caption inscription lettering"""
)
# A time or a weather in front of one of these is part of its name: "night club", "snow leopard".
COMPOUNDS = bag(
    """club market stand gown dress bed owl shift bus train star table school nurse watch lamp
    leopard man woman white globe ball queen king board mobile boots boot coat jacket hat forest
    barrel horn machine garden palace olympics room brew chocolate bird guard rider sports collar
    roll onion water"""
)

"""The words users have for kinds of object, scenes, colours, styles and nothing in particular."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """The words for one thing.

    Attributes
    ----------
    usual : str
        The word most people use.
    plural : str
        Its plural, or the same word.
    synonyms : tuple of str
        Other words for it, other languages included, the more frequent first.
    misspelt : tuple of str
        The usual word as written in haste.
    related : tuple of str
        What it brings to mind.
    broader : tuple of str
        Classes it belongs to, shared with other things.
    """

    usual: str
    plural: str
    synonyms: tuple[str, ...]
    misspelt: tuple[str, ...]
    related: tuple[str, ...]
    broader: tuple[str, ...]


def _words(
    usual: str, plural: str, synonyms: str, misspelt: str, related: str, broader: str = ""
) -> Words:
    return Words(
        usual,
        plural,
        tuple(synonyms.split()),
        tuple(misspelt.split()),
        tuple(related.split()),
        tuple(broader.split()),
    )


KIND_WORDS: dict[str, Words] = {
    "apple": _words("apple", "apples", "grannysmith manzana pomme", "aple appel",
                    "orchard juicy harvest cider", "fruit food"),
    "balloon": _words("balloon", "balloons", "hotairballoon ballooning globo", "baloon ballon",
                      "basket airborne floating", "flying transport"),
    "bird": _words("bird", "birds", "birdie robin songbird oiseau", "brid birdd",
                   "feathers beak chirp birdwatching", "animal wildlife"),
    "boat": _words("boat", "boats", "sailboat ship yacht barco", "baot",
                   "sailing mast regatta marina", "transport"),
    "butterfly": _words("butterfly", "butterflies", "papillon monarch mariposa",
                        "buterfly butterfy", "wings flutter cocoon", "insect animal wildlife"),
    "car": _words("car", "cars", "auto automobile coche", "carr",
                  "wheels driving roadtrip traffic", "vehicle transport"),
    "cat": _words("cat", "cats", "kitty kitten gato feline", "catt kittty",
                  "whiskers meow purr", "animal pet"),
    "crown": _words("crown", "crowns", "tiara corona coronet", "crwon",
                    "royal king queen kingdom", "jewellery"),
    "cup": _words("cup", "cups", "mug coffee tea teacup", "cofee",
                  "breakfast espresso caffeine steam", "drink food"),
    "fish": _words("fish", "fishes", "goldfish poisson pez", "fsih",
                   "fins aquarium fishing scales", "animal wildlife"),
    "flower": _words("flower", "flowers", "blossom bloom daisy fleur", "flowr flwoer",
                     "petals garden bouquet", "plant nature"),
    "heart": _words("heart", "hearts", "valentine corazon herz", "haert",
                    "romance sweetheart romantic", "symbol"),
    "house": _words("house", "houses", "home cottage casa hut", "huose",
                    "roof chimney door realestate", "building"),
    "key": _words("key", "keys", "latchkey llave clef", "kee",
                  "lock unlock secret", "metal tool"),
    "moon": _words("moon", "moons", "crescent luna lune", "mooon",
                   "lunar moonlight craters", "space"),
    "mushroom": _words("mushroom", "mushrooms", "toadstool fungi fungus shroom",
                       "mushrom musroom", "fairytale foraging poisonous", "plant nature"),
    "rocket": _words("rocket", "rockets", "spaceship spacecraft cohete", "rokcet",
                     "launch astronaut nasa", "space vehicle"),
    "star": _words("star", "stars", "estrella etoile stern", "satr",
                   "twinkle wish sparkle", "symbol space"),
    "tree": _words("tree", "trees", "pine oak arbre sapling", "tre",
                   "leaves branches trunk", "plant nature"),
    "umbrella": _words("umbrella", "umbrellas", "parasol brolly paraguas", "umbrela",
                       "rain rainyday drizzle", "weather"),
}  # fmt: skip

SCENE_WORDS: dict[str, Words] = {
    "beach": _words("beach", "beaches", "seaside playa shore", "baech", "sand holiday vacation",
                    "outdoors"),
    "brick": _words("brick", "bricks", "brickwall wall", "brik", "masonry texture", "urban"),
    "checks": _words("checks", "gingham", "plaid tartan checkered", "chekcs", "tablecloth picnic",
                     "pattern"),
    "city": _words("city", "cities", "skyline cityscape downtown", "ctiy",
                   "skyscraper lights buildings", "urban"),
    "desert": _words("desert", "dunes", "sahara desierto", "dessert", "hot arid sand",
                     "landscape outdoors"),
    "dots": _words("dots", "polkadots", "polkadot spots", "dotts", "retro dotted", "pattern"),
    "forest": _words("forest", "woods", "woodland wald bosque", "forrest", "hiking shade mossy",
                     "nature outdoors"),
    "meadow": _words("meadow", "meadows", "grass field lawn", "medow", "green spring hill",
                     "nature outdoors"),
    "mountains": _words("mountain", "mountains", "alps peak montagne", "mountian",
                        "climbing summit hiking", "landscape outdoors"),
    "night": _words("night", "nights", "nightsky midnight noche", "nite", "dark stargazing",
                    "outdoors"),
    "sea": _words("sea", "waves", "ocean mar water", "ocaen", "horizon tide salty",
                  "landscape outdoors"),
    "sky": _words("sky", "clouds", "cloud cielo ciel", "skyy", "sunny air cloudy", "outdoors"),
    "snow": _words("snow", "snowflakes", "winter snowy nieve", "sonw", "cold christmas frosty",
                   "landscape outdoors"),
    "stripes": _words("stripes", "striped", "stripe lines", "strips", "diagonal wallpaper",
                      "pattern"),
    "studio": _words("studio", "backdrop", "plain minimal", "stuido", "stilllife softbox",
                     "background"),
    "sunset": _words("sunset", "sunsets", "dusk sundown sunrise", "sunest", "evening glow",
                     "landscape outdoors"),
    "underwater": _words("underwater", "bubbles", "diving scuba reef", "undrewater",
                         "snorkel deep", "water"),
    "wood": _words("wood", "planks", "wooden boards", "woood", "rustic timber table", "texture"),
}  # fmt: skip

COLOUR_WORDS: dict[str, Words] = {
    "red": _words("red", "red", "crimson scarlet rojo", "redd", ""),
    "orange": _words("orange", "orange", "tangerine amber", "ornage", ""),
    "yellow": _words("yellow", "yellow", "golden gold amarillo", "yelow", ""),
    "green": _words("green", "green", "emerald lime verde", "gren", ""),
    "turquoise": _words("turquoise", "turquoise", "teal aqua cyan", "turqoise", ""),
    "blue": _words("blue", "blue", "navy azure azul", "bleu", ""),
    "purple": _words("purple", "purple", "violet lilac", "pruple", ""),
    "pink": _words("pink", "pink", "rose magenta", "pnik", ""),
    "brown": _words("brown", "brown", "chocolate tan", "borwn", ""),
    "white": _words("white", "white", "ivory blanco", "whtie", ""),
    "black": _words("black", "black", "ebony noir", "balck", ""),
}

STYLE_WORDS: dict[str, Words] = {
    "monochrome": _words("bw", "blackandwhite", "monochrome mono noiretblanc", "blackwhite",
                         "film grain contrast"),
    "vintage": _words("vintage", "sepia", "retro oldschool", "vintge", "nostalgia memories film"),
    "bokeh": _words("bokeh", "lightleak", "blur dreamy", "boke", "sparkly lights"),
}  # fmt: skip

_VAGUE_WORDS = """
    photo cool 2019 nice canon love nikon pretty fun cute photography 2018 summer art beautiful
    awesome me color explore colorful iphone favorite happy wow untitled picture amazing travel
    geotagged pic closeup weekend digital 2020 instagram fav macro illustration bright wallpaper
    random lovely great sweet friends family flickr square test new simple best upload misc 50mm
"""

VAGUE: tuple[str, ...] = tuple(_VAGUE_WORDS.split())
"""Words that say nothing of the picture, the more frequent first."""

_RARE_WORDS = """
    project365 handheld tripod lisbon kyoto hdr unedited saturday october dsc0017 birthday lomo
    handmade oslo cartoon toronto morning doodle valencia 2016 grandma bristol sticker porto
    perspective kodak dublin caturday krakow etsy march leica clipart lyon whimsy d3200 selfie
    p1010042 throwback img4471 abstract july4th quirky challenge52 symmetry f18 tgif lightroom
    wedding polaroid fuji schooltrip panasonic roadside sony serendipity ephemeral giggles bff
    mondaymood lunchbreak daydream notebook scrapbook emoji vector crafts kawaii geometry
    minimalism composition ruleofthirds september november april friday noon 1999 2007 2011 2014
"""

RARE: tuple[str, ...] = tuple(_RARE_WORDS.split())
"""Words few users ever write, the less rare first."""

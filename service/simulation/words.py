"""What made-up clients say in their own language: of what they did, what they noticed, and what their goals mean to them."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

NOTICED: Final[Mapping[str, Sequence[str]]] = MappingProxyType(
    {
        "en": (
            "I noticed it was easier once I had begun.",
            "Hard to start, fine after a few minutes.",
            "My first thought was that it would not work. It went better than that.",
            "The same worry as yesterday, but it passed sooner.",
            "I was tired and did a short one.",
            "I would like to talk about this one on our next day.",
            "I told myself it does not have to be perfect.",
            "Felt tense in the shoulders, calmer at the end.",
        ),
        "es": (
            "Me di cuenta de que era más fácil una vez que había empezado.",
            "Costó empezar; a los pocos minutos iba bien.",
            "Lo primero que pensé fue que no saldría. Salió mejor de lo que pensaba.",
            "La misma preocupación de ayer, pero se fue antes.",
            "Tenía sueño e hice una versión corta.",
            "De esto me gustaría hablar el próximo día.",
            "Me dije que no tiene que ser perfecto.",
            "Los hombros tensos al principio, más calma al final.",
        ),
        "de": (
            "Als ich erst einmal angefangen hatte, ging es leichter.",
            "Der Anfang war schwer, nach ein paar Minuten ging es gut.",
            "Mein erster Gedanke war, dass es nichts wird. Es lief besser.",
            "Dieselbe Sorge wie gestern, aber sie ging schneller vorbei.",
            "Ich war müde und habe es kurz gehalten.",
            "Darüber möchte ich beim nächsten Mal sprechen.",
            "Ich habe mir gesagt, dass es nicht perfekt sein muss.",
            "Verspannt in den Schultern, am Ende ruhiger.",
        ),
        "nl": (
            "Ik merkte dat het makkelijker ging toen ik eenmaal begonnen was.",
            "Lastig om te beginnen, na een paar minuten ging het goed.",
            "Mijn eerste gedachte was dat het niets zou worden. Het ging beter dan dat.",
            "Dezelfde zorg als gisteren, maar hij ging eerder voorbij.",
            "Ik was moe en heb het kort gehouden.",
            "Hier wil ik de volgende keer over praten.",
            "Ik zei tegen mezelf dat het niet perfect hoeft te zijn.",
            "Gespannen schouders, aan het eind rustiger.",
        ),
    }
)
"""By language: what fits any question that asks for words."""

DID: Final[Mapping[str, Sequence[str]]] = MappingProxyType(
    {
        "en": (
            "A walk around the block before dinner",
            "Called somebody I had not spoken to for a while",
            "Asked a neighbour how she is",
            "Cooked soup and ate it at the table",
            "Went to the shop at a busy hour",
            "Watered the plants with the radio on",
        ),
        "es": (
            "Una vuelta a la manzana antes de cenar",
            "Llamé a alguien con quien hacía tiempo que no hablaba",
            "Le pregunté a una vecina cómo está",
            "Hice sopa y me la comí en la mesa",
            "Fui a la tienda a una hora con gente",
            "Regué las plantas con la radio puesta",
        ),
        "de": (
            "Vor dem Abendessen einmal um den Block gegangen",
            "Jemanden angerufen, mit dem ich lange nicht gesprochen hatte",
            "Eine Nachbarin gefragt, wie es ihr geht",
            "Suppe gekocht und am Tisch gegessen",
            "Einkaufen gegangen, als viel los war",
            "Die Pflanzen gegossen, mit Radio",
        ),
        "nl": (
            "Voor het eten een blokje om",
            "Iemand gebeld die ik al een tijd niet had gesproken",
            "Een buurvrouw gevraagd hoe het gaat",
            "Soep gekookt en aan tafel opgegeten",
            "Naar de winkel gegaan toen het druk was",
            "De planten water gegeven met de radio aan",
        ),
    }
)
"""By language: something that somebody did, or that happened."""

PRACTISED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "en": "Slow breathing, longer out than in",
        "es": "Respirar despacio, más largo al soltar",
        "de": "Langsam atmen, länger aus als ein",
        "nl": "Langzaam ademen, langer uit dan in",
    }
)
"""By language: what was practised."""

GOALS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "low mood": {
            "en": "Do more of what gives me something",
            "es": "Hacer más de lo que me hace bien",
            "de": "Mehr von dem tun, was mir etwas gibt",
            "nl": "Meer doen van wat mij iets geeft",
        },
        "worry": {
            "en": "Talk to people without going over it for days",
            "es": "Hablar con la gente sin darle vueltas durante días",
            "de": "Mit Menschen reden, ohne tagelang darüber zu grübeln",
            "nl": "Met mensen praten zonder er dagen over te piekeren",
        },
        "sleep": {
            "en": "Get up rested on most days",
            "es": "Levantarme con descanso casi todos los días",
            "de": "An den meisten Tagen ausgeruht aufstehen",
            "nl": "Op de meeste dagen uitgerust opstaan",
        },
        "self-worth": {
            "en": "Notice what went well",
            "es": "Darme cuenta de lo que salió bien",
            "de": "Merken, was gut gelaufen ist",
            "nl": "Merken wat er goed ging",
        },
    }
)
"""By programme and language."""

LEVELS: Final[Mapping[str, Sequence[str]]] = MappingProxyType(
    {
        "en": ("On no day", "On one or two days a week", "On three or four days", "On five or six days", "Every day"),
        "es": (
            "Ningún día", "Uno o dos días a la semana", "Tres o cuatro días", "Cinco o seis días", "Todos los días",
        ),
        "de": ("An keinem Tag", "An ein, zwei Tagen in der Woche", "An drei, vier Tagen", "An fünf, sechs Tagen",
            "Jeden Tag",
        ),
        "nl": ("Op geen enkele dag", "Op een of twee dagen per week", "Op drie of vier dagen", "Op vijf of zes dagen",
            "Elke dag",
        ),
    }
)  # fmt: skip
"""By language: what the levels of a goal mean, from -2 to 2."""

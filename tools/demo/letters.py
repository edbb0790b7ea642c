"""What the letters say: a stack of French administrative letters, 1949 to 1978, all invented."""

from dataclasses import dataclass

TELEGRAM = "TÉLÉGRAMME OFFICIEL"


@dataclass(frozen=True, slots=True)
class Wear:
    """What time and the scanner did to a sheet."""

    tilt: float = 0.0
    """Degrees, anticlockwise."""
    quarter_turns: int = 0
    """How often the sheet lay a quarter turn wrong, anticlockwise."""
    paper: int = 228
    """Grey level of the paper, 255 is white."""
    shade: float = 0.12
    """How much darker the edges are than the middle, 0 to 1."""
    noise: float = 8.0
    """Standard deviation, in grey levels."""
    blur: float = 0.6
    """Radius, in pixels."""
    stains: int = 0
    faded: int = 0
    """Grey levels that the ink has lost."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter, and the file the scanner made of it."""

    file: str
    """Relative to the folder of scans; its ending says the format."""
    office: tuple[str, ...]
    """The letterhead, line by line."""
    reference: str
    place_and_date: str
    subject: str
    greeting: str
    body: str
    """Paragraphs between empty lines; lines that begin with a bar are typed as they stand."""
    signatory: str
    wear: Wear
    stamp: str = ""


LETTERS = (
    Letter(
        "1949-vaccination/lettre-0112.tif",
        ("TERRITOIRE DU SÉNÉGAL", "Service d'Hygiène mobile", "Secteur du Fleuve"),
        "N° 112/HMP",
        "Podor, le 12 mars 1949",
        "Campagne de vaccination antivariolique",
        "Monsieur le Médecin-Chef,",
        """
J'ai l'honneur de vous rendre compte que l'équipe mobile d'hygiène a vacciné, du 1er au 10 mars 1949, deux mille trois cent quatorze personnes dans les cantons de la rive gauche du fleuve.

Les réactions observées ont été normales. Trois enfants ont été conduits au dispensaire de Podor, où ils se sont rétablis en quelques jours.

Il reste en magasin huit cents doses. Je vous serais obligé de bien vouloir faire parvenir un complément de mille cinq cents doses avant la saison des pluies.
""",  # noqa: E501 -- a paragraph is one line, as a typist hears it
        "Le Chef d'équipe, Demba Kasso",
        Wear(tilt=0.8, paper=214, shade=0.2, noise=9, stains=2),
        "ARRIVÉE 17 MARS 1949",
    ),
    Letter(
        "1963-maternite/lettre-0047.jpg",
        ("RÉPUBLIQUE DU SÉNÉGAL", "Ministère de la Prévoyance sanitaire", "Région de Thiès"),
        "N° 47/MPS/RT",
        "Thiès, le 5 février 1963",
        "Construction d'une maternité à Khombole",
        "Monsieur le Ministre,",
        """
Le comité de santé du cercle, réuni le 2 février 1963, a examiné le projet de construction d'une maternité de seize lits à Khombole.

Le terrain a été offert par la collectivité. Le devis de l'entreprise s'élève à quatre millions deux cent mille francs, clôture et citerne comprises.

Les sœurs infirmières du dispensaire voisin ont bien voulu prêter leur concours à cette œuvre. Le comité émet un avis favorable et sollicite l'inscription de cette dépense au budget régional.
""",  # noqa: E501 -- as above
        "Le Gouverneur de région, Alioune Sambaré",
        Wear(tilt=-1.1, paper=222, shade=0.15, noise=10, blur=0.8),
        "COPIE CONFORME",
    ),
    Letter(
        "1965-fievre-jaune/rapport-0142.tif",
        ("RÉPUBLIQUE DU SÉNÉGAL", "Ministère de la Prévoyance sanitaire", "Direction de l'Hygiène publique"),
        "N° 0142/MPS/DHP",
        "Dakar, le 20 décembre 1965",
        "Rapport sur l'épidémie de fièvre jaune de Diourbel",
        "Monsieur le Ministre,",
        """
J'ai l'honneur de vous adresser le rapport de la mission que j'ai conduite dans le département de Diourbel, du 22 novembre au 14 décembre 1965, à la suite des cas mortels de fièvre jaune qui y ont été déclarés.

I. - Origine de l'épidémie. Le premier malade connu est un enfant de sept ans, entré au dispensaire le 2 novembre. L'interrogatoire des familles montre que des décès semblables, attribués au paludisme, s'étaient produits dès la mi-octobre dans trois villages voisins. La déclaration obligatoire n'a donc pas été faite à temps.

II. - Étendue. Au 14 décembre, deux cent quarante-trois malades étaient inscrits aux registres ; deux cent seize avaient moins de dix ans. Ces chiffres sont certainement inférieurs à la réalité, beaucoup de malades n'ayant jamais quitté leur concession.

III. - Le moustique. Les gîtes larvaires ont été trouvés dans les canaris et les jarres où l'eau de boisson est conservée. Sur cent concessions visitées, quatre-vingt-une abritaient des larves de stégomyia. Les pulvérisations ont commencé le 25 novembre.

IV. - Vaccination. Les équipes mobiles ont vacciné, du 24 novembre au 12 décembre, quatre-vingt-dix-huit mille personnes dans le département, puis ont étendu leur action aux localités situées le long de la voie ferrée. La glace a manqué pendant deux jours, ce qui a obligé à détruire onze mille doses exposées à la chaleur.

V. - Propositions. Il convient, en premier lieu, de reprendre la vaccination systématique des enfants, interrompue depuis 1960 ; en second lieu, de doter chaque dispensaire d'un réfrigérateur à pétrole ; enfin, d'exiger des chefs de poste un état hebdomadaire des décès, même lorsqu'il est néant.

Je ne saurais terminer sans rendre hommage au dévouement des infirmiers, des agents d'hygiène et des chauffeurs, qui ont travaillé sans repos, de jour comme de nuit, et souvent sans autre abri que leur véhicule.
""",  # noqa: E501 -- as above
        "Le Directeur de l'Hygiène publique, Docteur Birame Thiaré",
        Wear(tilt=0.5, paper=220, shade=0.14, noise=7, stains=1),
        "CONFIDENTIEL",
    ),
    Letter(
        "1965-fievre-jaune/telegramme-031.jpg",
        (TELEGRAM, "Bureau de Diourbel"),
        "N° 031",
        "Diourbel, le 23 novembre 1965",
        "Demande de glace",
        "MINISTÈRE SANTÉ DAKAR",
        """
| CAMION FRIGORIFIQUE EN PANNE A BAMBEY STOP
| PRIÈRE ENVOYER GLACE PAR AUTORAIL CE SOIR STOP
| SEPT MILLE DOSES VACCIN ANTIAMARIL
| DOIVENT ÊTRE UTILISÉES DEMAIN STOP
| RENFORT DEUX ÉQUIPES NÉCESSAIRE STOP ET FIN
""",
        "MÉDECIN-CHEF DIOURBEL",
        Wear(tilt=-0.7, paper=205, shade=0.22, noise=11, blur=0.7, stains=2),
    ),
    Letter(
        "1969-meningite/circulaire-0009.pdf",
        ("RÉPUBLIQUE DE HAUTE-VOLTA", "Ministère de l'Hygiène et de la Population", "Cercle de Ouahigouya"),
        "N° 9/MHP/CIRC",
        "Ouahigouya, le 3 février 1969",
        "Méningite cérébro-spinale : mesures d'urgence",
        "À Messieurs les Infirmiers, chefs de poste,",
        """
La méningite cérébro-spinale a reparu dans le cercle depuis le 18 janvier. Cent soixante-deux cas ont été déclarés, dont quarante et un mortels. La saison sèche et l'harmattan laissent craindre une extension rapide.

Vous voudrez bien, dès réception de la présente circulaire :

| 1° fermer les écoles où plus de deux cas se seront produits ;
| 2° interdire les marchés et les grands rassemblements ;
| 3° traiter tout malade au chloramphénicol huileux,
|    une injection de trois grammes, sans attendre le médecin ;
| 4° adresser chaque samedi l'état numérique ci-dessous.

| SEMAINE   CAS   DÉCÈS   TRAITÉS   DOSES EN STOCK
| 3          21      6        19               140
| 4          54     13        52                88
| 5          87     22        81                 7

Les sulfamides retard seront réservées à l'entourage immédiat des malades. Toute rupture de stock sera signalée par télégramme au médecin-chef, qui dispose d'une réserve de quatre cents ampoules.

La vaccination n'est pas possible cette année. Il importe donc d'instruire les familles : aérer les cases, éloigner les lits, conduire tout enfant raide et fiévreux au poste le plus proche, de nuit comme de jour.

Les sœurs de l'hôpital de Ouahigouya accueilleront les malades du chef-lieu dans le bâtiment de la maternité, évacué à cet effet.
""",  # noqa: E501 -- as above
        "Le Médecin-Chef du cercle, Docteur Noaga Tiendré",
        Wear(tilt=0.9, paper=232, noise=7, faded=25),
        "URGENT",
    ),
    Letter(
        "1971-paludisme/note-de-service-0230.png",
        ("RÉPUBLIQUE DU SÉNÉGAL", "Ministère de la Prévoyance sanitaire", "Région du Sine-Saloum"),
        "N° 230/MPS/RSS",
        "Kaolack, le 30 août 1971",
        "Lutte contre le paludisme dans les écoles",
        "NOTE DE SERVICE",
        """
À compter du 6 septembre 1971, la chimioprophylaxie à la chloroquine sera distribuée chaque lundi dans toutes les écoles primaires de la région.

Les infirmiers chefs de poste tiendront un registre nominatif. Les comprimés non distribués seront retournés à la pharmacie d'approvisionnement avec un bordereau en double exemplaire.

Les maîtres seront réunis le 2 septembre à l'école de Ndangane, où il leur sera expliqué comment reconnaître une crise et à qui conduire l'élève.
""",  # noqa: E501 -- as above
        "Le Médecin-Chef de région",
        Wear(tilt=-0.4, quarter_turns=1, paper=226, noise=8),
        "AFFICHÉ",
    ),
    Letter(
        "1978-personnel/bordereau-0518.tif",
        ("RÉPUBLIQUE DU SÉNÉGAL", "Ministère de la Prévoyance sanitaire", "Service du Personnel"),
        "N° 518/MPS/SP",
        "Dakar, le 9 mai 1978",
        "Bordereau d'envoi",
        "À Monsieur le Directeur des Archives,",
        """
| DÉSIGNATION DES PIÈCES                  NOMBRE   OBSERVATIONS
|
| Dossiers des sages-femmes                   38   complets
| Dossiers des agents d'hygiène              112   7 manquants
| Registre des congés de 1961 à 1970           2   reliés
| Procès-verbaux de passation de service      15   pour attribution

Je vous prie de bien vouloir m'accuser réception de ces pièces et me faire connaître la cote sous laquelle elles seront conservées.
""",  # noqa: E501 -- as above
        "Le Chef du Service du Personnel, Mame Coumba Lissar",
        Wear(tilt=0.3, paper=236, shade=0.08, noise=6, stains=1),
    ),
)
"""The stack, in the order of the scanner."""

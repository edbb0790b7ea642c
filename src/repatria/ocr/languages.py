"""Names of languages, as Tesseract has them, and what to say where the data of one is missing."""

from collections.abc import Iterable, Sequence

from repatria.i18n import _

IN_DEBIAN = frozenset(
    """
    afr amh ara asm aze aze_cyrl bel ben bod bos bre bul cat ceb ces chi_sim chi_sim_vert chi_tra chi_tra_vert chr cos
    cym dan deu div dzo ell eng enm epo est eus fao fas fil fin fra frk frm fry gla gle glg grc guj hat heb hin hrv hun
    hye iku ind isl ita ita_old jav jpn jpn_vert kan kat kat_old kaz khm kir kmr kor kor_vert lao lat lav lit ltz mal
    mar mkd mlt mon mri msa mya nep nld nor oci ori pan pol por pus que ron rus san sin slk slv snd spa spa_old sqi srp
    srp_latn sun swa swe syr tam tat tel tgk tha tir ton tur uig ukr urd uzb uzb_cyrl vie yid yor
    """.split()  # noqa: SIM905 -- a table of words reads better so
)
"""Those that Debian has data for, each in the package tesseract-ocr-NAME."""


def package_of(language: str) -> str:
    """Return the Debian package with a language's data."""
    return f"tesseract-ocr-{language.replace('_', '-')}"


def shown(installed: Iterable[str]) -> str:
    """Return the languages among the data that are installed, for people."""
    return ", ".join(sorted(set(installed) - {"osd", "equ"})) or _("none")


def advice_for(missing: Sequence[str], installed: Iterable[str]) -> str:
    """Return what to do about languages without data: packages are named only where there are such."""
    here = shown(installed)
    known = [language for language in missing if language in IN_DEBIAN]
    sentences = []
    if known:
        packages = " ".join(package_of(language) for language in known)
        sentences.append(
            _("Install it: apt-get install {packages}. Installed now: {installed}.").format(
                packages=packages, installed=here
            )
        )
    if len(known) < len(missing):
        unknown = ", ".join(language for language in missing if language not in IN_DEBIAN)
        sentences.append(
            _("Debian has no data for {unknown}; French is called fra, Arabic ara.").format(unknown=unknown)
        )
        if not known:
            sentences.append(_("Installed now: {installed}.").format(installed=here))
        sentences.append(_("`apt-cache search tesseract-ocr` lists the others."))
    return " ".join(sentences)

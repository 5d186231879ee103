"""Words that a descriptor carries beside the merchant's name."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


COMPANY = _words(
    """inc incorporated ltd limited llc llp lp plc corp corporation co gmbh ag kg ohg ug mbh se sa sas sarl sl srl spa
    bv nv ab oy aps as lda kft"""
)
REGIONS = _words(
    """on qc bc ab mb sk ns nb nl pe yt nt nu ca us usa can deu de fra fr gb gbr uk nld nl aut at che ch esp es ita it
    jpn jp ny tx fl il wa ma pa nj ga oh mi nc va az or co"""
)
CITIES = _words(
    """toronto etobicoke scarborough mississauga brampton markham vaughan oakville hamilton ottawa montreal vancouver
    calgary edmonton winnipeg halifax berlin hamburg muenchen munchen koeln koln frankfurt stuttgart duesseldorf
    dusseldorf leipzig dresden bremen hannover potsdam wien zurich zuerich basel bern paris lyon marseille lille
    bruxelles amsterdam rotterdam utrecht london manchester birmingham leeds edinburgh dublin madrid barcelona lisboa
    lisbon porto roma milano rome milan stockholm oslo copenhagen kobenhavn helsinki warszawa krakow praha prague
    budapest tokyo osaka kyoto seattle chicago boston austin denver dallas houston"""
)
LOWER_CASE = _words("of and the de la le du des der die das und et at on in van von el y da do")
"""Stay small inside a name in title case."""
FILLERS = _words("store stores shop online canada ca com de fr uk us co")
"""After a brand they say nothing more."""
ARTICLES = _words("the le la les der die")

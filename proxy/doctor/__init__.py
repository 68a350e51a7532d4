"""Looks at a site from outside, before launch: will browsers keep our cookies, do block lists hit our names, does it
answer?

`finding.py` is the result; `safari.py`, `names.py`, `lists.py`, `answers.py` judge and are pure; `dns.py` and
`fetch.py` touch the network; `doctor.py` puts them in order. It sends no event and stores nothing.
"""

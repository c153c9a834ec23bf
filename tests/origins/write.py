"""Writes the test databases beside it: documentation addresses (RFC 5737, RFC 3849), AS numbers (RFC 5398), and those
that the sample's internet has. Needs mmdb_writer 0.2.7 from PyPI.

asn.mmdb      autonomous systems as GeoLite2-ASN names them
country.mmdb  countries as GeoLite2-Country names them
both.mmdb     both as IPinfo Lite names them
"""

from pathlib import Path

from mmdb_writer import MMDBWriter
from netaddr import IPSet

HERE = Path(__file__).parent
OWNERS = [
    ("192.0.2.0/24", 64496, "Example Hosting", "DE"),
    ("198.51.100.0/24", 64497, "Example Transit", "NL"),
    ("203.0.113.0/25", 64498, "Example Cloud", "US"),
    ("2001:db8::/32", 64499, "Example Six", "JP"),
]

asn = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type="GeoLite2-ASN", int_type="u32")
country = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type="GeoLite2-Country", int_type="u32")
both = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type="ipinfo lite", int_type="u32")
for prefix, number, name, code in OWNERS:
    at = IPSet([prefix])
    asn.insert_network(at, {"autonomous_system_number": number, "autonomous_system_organization": name})
    country.insert_network(at, {"country": {"iso_code": code, "geoname_id": 1}})
    both.insert_network(at, {"asn": f"AS{number}", "as_name": name, "country_code": code, "country": "Somewhere"})
for writer, name in [(asn, "asn"), (country, "country"), (both, "both")]:
    writer.to_db_file(str(HERE / f"{name}.mmdb"))

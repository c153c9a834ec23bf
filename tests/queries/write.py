"""Writes logs.log beside it: what the curated queries look for and the sample does not have, one paragraph each."""

from pathlib import Path

FIELDS = """version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status
vpc-id subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr region flow-direction traffic-path pkt-dst-aws-service""".split()
# 2026-02-25T06:00:00Z
BEGIN = 1771999200
INTERFACES = {"10.1.0.10": "eni-app1", "10.1.0.11": "eni-app2", "10.1.1.20": "eni-data"}

lines = [" ".join(FIELDS)]


def record(interface, source, target, ports, at, direction, action="ACCEPT", flags=3, size=800, path="-", service="-", protocol=6):
    subnet = "subnet-data" if interface == "eni-data" else "subnet-app"
    lines.append(" ".join(str(value) for value in [
        5, "111122223333", interface, source, target, *ports, protocol, 8, size, BEGIN + at, BEGIN + at + 20, action, "OK",
        "vpc-1", subnet, "-", flags, "IPv4", source, target, "eu-central-1", direction, path, service]))


def connection(client, server, port, client_port, at, size=800, path="-", service="-"):
    """Both directions, at each end that has an interface here."""
    if client in INTERFACES:
        record(INTERFACES[client], client, server, (client_port, port), at, "egress", flags=3, size=size, path=path, service=service)
        record(INTERFACES[client], server, client, (port, client_port), at, "ingress", flags=19, size=size // 4)
    if server in INTERFACES:
        record(INTERFACES[server], client, server, (client_port, port), at, "ingress", flags=3, size=size)
        record(INTERFACES[server], server, client, (port, client_port), at, "egress", flags=19, size=size // 4, path=1)


# A beacon: every two minutes to the same address.
for number in range(6):
    connection("10.1.0.11", "198.51.100.66", 443, 41000 + number, 30 + 120 * number, path=8)
# A scan of the database's ports, refused.
for port in [21, 23, 25, 80, 110, 135, 139, 445, 1433, 3306, 3389, 8080]:
    record("eni-data", "10.1.0.10", "10.1.1.20", (42000, port), 40, "ingress", action="REJECT", flags=2, size=60)
# An exception that is used before and after its end.
connection("10.1.0.10", "10.1.1.20", 22, 43000, 60)
connection("10.1.0.10", "10.1.1.20", 22, 43001, 300)
connection("10.1.0.10", "10.1.1.20", 5432, 43002, 70, size=100_000)
# Peering within the region, and to another one.
connection("10.1.0.10", "10.9.0.5", 443, 44000, 80, size=5_000_000, path=4)
connection("10.1.0.10", "10.9.8.5", 443, 44001, 90, size=7_000_000, path=5)
# Egress that nobody answers.
for number in range(3):
    record("eni-app1", "10.1.0.10", "203.0.113.99", (45000 + number, 443), 100, "egress", flags=2, size=180, path=8)
# Allowed by a service, with the field and without it.
connection("10.1.0.10", "52.95.1.1", 443, 46000, 110, path=7, service="S3")
# Lines that are none.
lines.append("5 111122223333 eni-app1 10.1.0.10 10.1.1.20 half a line")
lines.append(lines[1].replace("198.51.100.66", "198.51.100.666", 1))

# The same conversation, of a flow log without the service's field.
short = [field for field in FIELDS if field != "pkt-dst-aws-service"]
before = len(lines)
connection("10.1.0.10", "52.95.1.2", 443, 46001, 120, path=8)
others = [" ".join(line.split(" ")[:-1]) for line in lines[before:]]
del lines[before:]

here = Path(__file__).parent / "logs"
here.mkdir(exist_ok=True)
(here / "all.log").write_text("\n".join(lines) + "\n")
(here / "short.log").write_text("\n".join([" ".join(short), *others]) + "\n")

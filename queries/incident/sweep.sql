-- title: Sweep for addresses
-- answers: Did anything talk to one of these addresses?
-- read: A list of addresses or prefixes with commas, such as those of a threat report.
-- param list text: Addresses or prefixes.
-- param most int 1000: How many rows.
-- tables: edges
select client_addr, client_tier, server_addr, server_tier, server_port, protocol_name(protocol) as protocol, outcome, verdict,
       sum(connections) as connections, sum(bytes_to_server) as bytes_to_server, min(first_seen) as first_seen, max(last_seen) as last_seen
from edges
where in_cidrs(client_addr, $list) or in_cidrs(server_addr, $list)
group by client_addr, client_tier, server_addr, server_tier, server_port, protocol, outcome, verdict
order by first_seen, client_addr, server_addr, server_port
limit $most

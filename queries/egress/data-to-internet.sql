-- title: Data tier to the internet
-- answers: Who talks to the internet from a tier that should not?
-- read: One row a pair and port, the heaviest first.
-- param tier text data: The tier.
-- param since time 2014-01-01: Only what was seen from here on.
-- param most int 50: How many rows.
-- tables: edges
select client_addr, client_workload, server_addr, server_port, protocol_name(protocol) as protocol, via, verdict, rule,
       sum(connections) as connections, sum(bytes_to_server) as bytes_out, sum(bytes_to_client) as bytes_in,
       min(first_seen) as first_seen, max(last_seen) as last_seen
from edges
where client_tier = $tier and server_tier = 'internet' and verdict <> 'unjudged' and first_seen >= $since
group by client_addr, client_workload, server_addr, server_port, protocol, via, verdict, rule
order by bytes_out desc, client_addr, server_addr, server_port
limit $most

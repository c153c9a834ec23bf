-- title: All a host did
-- answers: What did an address do, hour by hour?
-- read: Its connections as client and as server, in the order of their first record.
-- param addr addr: The address.
-- param since time 2014-01-01: Only what was seen from here on.
-- param until time 2100-01-01: Only what was seen before.
-- param most int 1000: How many rows.
-- tables: edges
select case when client_addr = $addr then 'client' else 'server' end as role,
       case when client_addr = $addr then server_addr else client_addr end as peer,
       case when client_addr = $addr then server_tier else client_tier end as peer_tier,
       server_port, protocol_name(protocol) as protocol, outcome, verdict, rule, connections,
       bytes_to_server, bytes_to_client, first_seen, last_seen, source, line
from edges
where (client_addr = $addr or server_addr = $addr) and last_seen >= $since and first_seen < $until
order by first_seen, role, peer, server_port, outcome
limit $most

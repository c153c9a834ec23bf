-- title: Before and after
-- answers: Whom did a host talk to after an instant that it never talked to before?
-- read: Peers and ports that are new from then on.
-- param addr addr: The address.
-- param at time: The instant.
-- param most int 50: How many rows.
-- tables: edges
with peers as (
  select case when client_addr = $addr then server_addr else client_addr end as peer,
         case when client_addr = $addr then 'client' else 'server' end as role,
         server_port, protocol, min(first_seen) as first_seen, sum(connections) as connections,
         sum(bytes_to_server) as bytes_to_server, sum(bytes_to_client) as bytes_to_client
  from edges where client_addr = $addr or server_addr = $addr
  group by 1, 2, server_port, protocol
)
select role, peer, server_port, protocol_name(protocol) as protocol, first_seen, connections, bytes_to_server, bytes_to_client
from peers where first_seen >= $at
order by first_seen, peer, server_port
limit $most

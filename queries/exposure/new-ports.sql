-- title: Ports newly open
-- answers: Which ports answered for the first time since an instant?
-- read: A server and port that established connections from then on, and none before in this lake.
-- param since time: New is what first answered from here on.
-- param most int 50: How many rows.
-- tables: edges, policy_tiers
with answered as (
  select server_addr, server_tier, server_port, protocol, min(first_seen) as first_seen, sum(connections) as connections
  from edges where outcome = 'established' and server_port is not null and server_tier in (select tier from policy_tiers)
  group by server_addr, server_tier, server_port, protocol
)
select server_addr, server_tier, server_port, protocol_name(protocol) as protocol, first_seen, connections
from answered where first_seen >= $since
order by first_seen, server_addr, server_port
limit $most

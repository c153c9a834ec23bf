-- title: Unanswered egress
-- answers: Which attempts to reach the outside were never answered?
-- read: A compromised host that calls a dead address looks so; so does a network ACL that drops replies.
-- param most int 50: How many rows.
-- tables: edges
select client_addr, client_tier, server_addr, server_port, protocol_name(protocol) as protocol, outcome, rule,
       sum(connections) as connections, min(first_seen) as first_seen, max(last_seen) as last_seen
from edges
where verdict <> 'unjudged' and outcome in ('sent', 'rejected_return') and server_tier in ('internet', 'unassigned') and client_tier <> 'internet'
group by client_addr, client_tier, server_addr, server_port, protocol, outcome, rule
order by connections desc, client_addr, server_addr, server_port
limit $most

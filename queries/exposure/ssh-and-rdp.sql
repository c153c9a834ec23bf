-- title: SSH and RDP
-- answers: Who opens shells and desktops, and may they?
-- read: All connections to 22 and 3389, whoever the client; internet noise among the rejected.
-- param most int 50: How many rows.
-- tables: edges
select client_addr, client_tier, server_addr, server_tier, server_port, outcome, verdict, rule,
       sum(connections) as connections, min(first_seen) as first_seen, max(last_seen) as last_seen
from edges
where server_port in (22, 3389) and protocol = 6 and verdict <> 'blocked'
group by client_addr, client_tier, server_addr, server_tier, server_port, outcome, verdict, rule
order by connections desc, client_addr, server_addr, server_port, outcome
limit $most

-- title: Reached from the internet
-- answers: What did the internet reach?
-- read: Accepted connections from outside, by server and port; the answered ones are exposure.
-- param most int 50: How many rows.
-- tables: edges
select server_addr, server_tier, server_port, protocol_name(protocol) as protocol, outcome, verdict, rule,
       count(distinct client_addr) as clients, sum(connections) as connections, min(first_seen) as first_seen
from edges
where client_tier = 'internet' and outcome in ('established', 'delivered')
group by server_addr, server_tier, server_port, protocol, outcome, verdict, rule
order by connections desc, server_addr, server_port, outcome
limit $most

-- title: Straight to the internet gateway
-- answers: Which tiers reach the internet gateway without NAT?
-- read: Only tiers with public addresses should be here.
-- param except text public: The tier that may.
-- param most int 50: How many rows.
-- tables: edges, policy_tiers
select client_tier, client_addr, server_tier, server_port, verdict, rule, sum(connections) as connections, sum(bytes_to_server) as bytes_out
from edges
where via = 'internet-gateway' and verdict <> 'unjudged' and client_tier <> $except and client_tier in (select tier from policy_tiers)
group by client_tier, client_addr, server_tier, server_port, verdict, rule
order by connections desc, client_tier, client_addr, server_port, verdict
limit $most

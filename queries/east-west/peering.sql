-- title: Peering and other ways
-- answers: What leaves by peering, a virtual private gateway or a local zone?
-- read: One row a way out and pair of zones, the heaviest first.
-- param most int 50: How many rows.
-- tables: edges
select via, client_tier, server_tier, server_port, verdict, rule, count(distinct client_addr) as clients,
       sum(connections) as connections, sum(bytes_to_server) as bytes_out, sum(bytes_to_client) as bytes_in
from edges
where via not in ('local', 'nat', 'gateway-endpoint', 'internet-gateway') and verdict <> 'unjudged'
group by via, client_tier, server_tier, server_port, verdict, rule
order by bytes_out desc, via, client_tier, server_tier, server_port, verdict, rule
limit $most

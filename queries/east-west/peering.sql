-- title: Peering and other ways
-- answers: What leaves by peering, a virtual private gateway or a local zone?
-- read: One row a way out and pair of zones, the heaviest first; dollars of peering across zones: within one it is free, and what goes to other regions costs more (`between-regions`).
-- param price float 0.01: Dollars a GB and direction of peering across zones (AWS's price list of 2026).
-- param most int 50: How many rows.
-- tables: edges
select via, client_tier, server_tier, server_port, verdict, rule, count(distinct client_addr) as clients,
       sum(connections) as connections, sum(bytes_to_server) as bytes_out, sum(bytes_to_client) as bytes_in,
       round(sum(case via when 'peering' then bytes_to_server + bytes_to_client end) / 1e9 * 2 * $price, 4) as usd_across_zones
from edges
where via not in ('local', 'nat', 'gateway-endpoint', 'internet-gateway') and verdict <> 'unjudged'
group by via, client_tier, server_tier, server_port, verdict, rule
order by bytes_out desc, via, client_tier, server_tier, server_port, verdict, rule
limit $most

-- title: Top violations
-- answers: Which connections break the policy most?
-- read: One row a rule, pair of zones and service; the worst, then the busiest first.
-- param since time 2014-01-01: Only what was seen from here on.
-- param most int 50: How many rows.
-- tables: edges
select severity, verdict, rule, client_tier, server_tier, protocol_name(protocol) as protocol, server_port,
       sum(connections) as connections, sum(bytes_to_server + bytes_to_client) as bytes,
       count(distinct client_addr) as clients, count(distinct server_addr) as servers,
       min(first_seen) as first_seen, max(last_seen) as last_seen
from edges
where verdict in ('violation', 'attempted') and first_seen >= $since
group by severity, verdict, rule, client_tier, server_tier, protocol, server_port
order by case severity when 'critical' then 0 when 'high' then 1 when 'medium' then 2 when 'low' then 3 else 4 end,
         connections desc, rule, client_tier, server_tier, server_port
limit $most

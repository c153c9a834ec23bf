-- title: Port scans
-- answers: Who tries many ports of one server?
-- read: Pairs with so many different ports, and how many of them answered.
-- param ports int 10: So many ports make a scan.
-- param most int 50: How many rows.
-- tables: edges
select client_addr, client_tier, server_addr, server_tier, count(distinct server_port) as ports,
       count(distinct server_port) filter (where outcome in ('established', 'delivered')) as answered,
       min(first_seen) as first_seen, max(last_seen) as last_seen
from edges
where protocol in (6, 17)
group by client_addr, client_tier, server_addr, server_tier
having count(distinct server_port) >= $ports
order by ports desc, client_addr, server_addr
limit $most

-- title: Scanners
-- answers: Who tries many ports or many hosts, and mostly in vain?
-- read: Clients with many different servers and ports, most of them rejected or unanswered. What answers nobody's question (backscatter) is left out.
-- param hosts int 20: So many servers make a scanner.
-- param ports int 20: Or so many ports.
-- param most int 50: How many rows.
-- tables: edges
select client_addr, client_tier, count(distinct server_addr) as servers, count(distinct server_port) as ports,
       sum(connections) as connections,
       round(100.0 * sum(case when outcome in ('established', 'delivered') then 0 else connections end) / sum(connections), 1) as vain_percent,
       min(first_seen) as first_seen, max(last_seen) as last_seen
from edges
where verdict <> 'unjudged'
group by client_addr, client_tier
having (count(distinct server_addr) >= $hosts or count(distinct server_port) >= $ports)
   and 2 * sum(case when outcome in ('established', 'delivered') then connections else 0 end) < sum(connections)
order by ports desc, servers desc, client_addr
limit $most

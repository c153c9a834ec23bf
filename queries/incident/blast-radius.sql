-- title: Blast radius
-- answers: What could an attacker on a host have reached, in up to three steps, going by what was accepted?
-- read: Hosts by the number of steps; the order of time is not looked at, so this is an outer bound.
-- param addr addr: The address.
-- param most int 1000: How many rows.
-- tables: edges
with pairs as (
  select distinct client_addr, server_addr from edges where outcome in ('established', 'delivered')
), one as (
  select distinct server_addr as addr from pairs where client_addr = $addr
), two as (
  select distinct p.server_addr as addr from pairs p join one on p.client_addr = one.addr
), three as (
  select distinct p.server_addr as addr from pairs p join two on p.client_addr = two.addr
)
select addr, min(steps) as steps
from (select addr, 1 as steps from one union all select addr, 2 from two union all select addr, 3 from three)
where addr <> $addr
group by addr
order by steps, addr
limit $most

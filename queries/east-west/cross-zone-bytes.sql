-- title: Bytes across availability zones
-- answers: Which traffic crosses zones, and what does it cost?
-- read: Bytes between subnets of different zones of the policy, as far as they have no end, both ways, times the price of a GB in each direction.
-- param price float 0.01: Dollars a GB and direction (AWS's price list of 2026).
-- param most int 50: How many rows.
-- tables: edges, policy_subnets
with cidrs as (
  select az, unnest(cidrs) as cidr from policy_subnets where az is not null and valid_until is null
), addrs as (
  select client_addr as addr from edges union select server_addr from edges
), places as (
  select a.addr, c.az, row_number() over (partition by a.addr order by cast(split_part(c.cidr, '/', 2) as int) desc, c.az) as place
  from addrs a join cidrs c on cidr_contains(c.cidr, a.addr)
)
select e.client_tier, c.az as client_az, e.server_tier, s.az as server_az, e.rule,
       sum(e.connections) as connections, sum(e.bytes_to_server + e.bytes_to_client) as bytes,
       round(sum(e.bytes_to_server + e.bytes_to_client) / 1e9 * 2 * $price, 4) as usd
from edges e
join places c on c.addr = e.client_addr and c.place = 1
join places s on s.addr = e.server_addr and s.place = 1
where c.az <> s.az and e.verdict <> 'unjudged'
group by e.client_tier, c.az, e.server_tier, s.az, e.rule
order by bytes desc, e.client_tier, client_az, e.server_tier, server_az, e.rule
limit $most

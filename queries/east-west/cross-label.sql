-- title: Across labels
-- answers: Which connections cross from one value of a label to another, such as prod to staging?
-- read: Labels are those of the policy's subnets that have no end; the longest prefix tells.
-- param label text env: The label.
-- param most int 50: How many rows.
-- tables: edges, policy_subnets
with cidrs as (
  select labels, unnest(cidrs) as cidr from policy_subnets where valid_until is null
), labels as (
  select cidr, cast(split_part(cidr, '/', 2) as int) as bits, unnest(labels) as label from cidrs
), addrs as (
  select client_addr as addr from edges union select server_addr from edges
), places as (
  select a.addr, l.label, rank() over (partition by a.addr order by l.bits desc) as place
  from addrs a join labels l on cidr_contains(l.cidr, a.addr)
), valued as (
  select addr, substr(label, length($label) + 2) as value from places
  where place = 1 and starts_with(label, $label || '=')
)
select c.value as client_value, s.value as server_value, e.client_tier, e.server_tier, e.server_port, e.verdict, e.rule,
       sum(e.connections) as connections
from edges e join valued c on c.addr = e.client_addr join valued s on s.addr = e.server_addr
where c.value <> s.value and e.verdict <> 'unjudged'
group by c.value, s.value, e.client_tier, e.server_tier, e.server_port, e.verdict, e.rule
order by connections desc, client_value, server_value, e.client_tier, e.server_tier, e.server_port, e.verdict, e.rule
limit $most

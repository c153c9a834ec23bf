-- title: Across labels
-- answers: Which connections cross from one value of a label to another, such as prod to staging?
-- read: Labels are those of the policy's subnets.
-- param label text env: The label.
-- param most int 50: How many rows.
-- tables: edges, policy_subnets
with labelled as (
  select unnest(cidrs) as cidr, unnest(labels) as label from policy_subnets
), valued as (
  select cidr, substr(label, length($label) + 2) as value from labelled where label like $label || '=%'
)
select c.value as client_value, s.value as server_value, e.client_tier, e.server_tier, e.server_port, e.verdict,
       sum(e.connections) as connections
from edges e
join valued c on cidr_contains(c.cidr, e.client_addr)
join valued s on cidr_contains(s.cidr, e.server_addr)
where c.value <> s.value
group by c.value, s.value, e.client_tier, e.server_tier, e.server_port, e.verdict
order by connections desc, client_value, server_value, e.client_tier, e.server_tier, e.server_port, e.verdict
limit $most

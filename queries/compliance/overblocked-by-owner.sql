-- title: Overblocked by owner
-- answers: What does the policy allow that something blocks, and who should know?
-- read: Connections that a rule allows and a security group, NACL or host refused.
-- param most int 50: How many rows.
-- tables: edges, policy_rules
select coalesce(r.owner, 'nobody') as owner, e.rule, e.client_tier, e.server_tier, e.server_port, e.outcome,
       sum(e.connections) as connections, min(e.source) as source
from edges e left join policy_rules r on r.rule = e.rule
where e.verdict = 'overblocked'
group by 1, e.rule, e.client_tier, e.server_tier, e.server_port, e.outcome
order by connections desc, owner, e.rule, e.client_tier, e.server_tier, e.server_port, e.outcome
limit $most

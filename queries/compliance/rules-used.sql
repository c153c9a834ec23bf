-- title: Rules by use
-- answers: Which rules of the policy are used, and which not at all?
-- read: One row a rule; those without a hit come first.
-- tables: edges, policy_rules
select r.rule, r.effect, coalesce(sum(e.connections), 0) as connections,
       count(distinct e.client_addr) as clients, count(distinct e.server_addr) as servers,
       max(e.last_seen) as last_hit, r.owner, r.reason
from policy_rules r left join edges e on e.rule = r.rule
group by r.rule, r.effect, r.owner, r.reason
order by connections, r.rule

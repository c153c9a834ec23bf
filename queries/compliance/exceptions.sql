-- title: Exceptions
-- answers: Which rules end, and which have ended but are still asked for?
-- read: Rules with an expiry; hits after it are denied and named here.
-- tables: edges, policy_rules
select r.rule, r.expires, r.owner, r.reason,
       coalesce(sum(e.connections) filter (where e.first_seen < r.expires), 0) as before_expiry,
       coalesce(sum(e.connections) filter (where e.first_seen >= r.expires), 0) as after_expiry,
       max(e.last_seen) as last_seen
from policy_rules r left join edges e on e.rule = r.rule or (starts_with(e.lacked, 'expired') and ends_with(e.lacked, '(' || r.rule || ')'))
where r.expires is not null
group by r.rule, r.expires, r.owner, r.reason
order by r.expires, r.rule

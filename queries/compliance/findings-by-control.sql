-- title: Findings by control
-- answers: Which controls of CIS, NIST or ISO have findings, and how bad are they?
-- read: A finding counts for each control that its rule names.
-- tables: findings
select control, count(*) filter (where severity = 'critical') as critical, count(*) filter (where severity = 'high') as high,
       count(*) filter (where severity = 'medium') as medium, count(*) filter (where severity = 'low') as low
from (select unnest(controls) as control, severity from findings where not muted)
group by control
order by critical desc, high desc, medium desc, low desc, control

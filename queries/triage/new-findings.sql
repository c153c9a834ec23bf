-- title: New findings
-- answers: Which findings were not there before an instant?
-- read: Findings whose id no earlier day has; steady ids make them comparable.
-- param since time: New is what was first seen from here on.
-- param most int 50: How many rows.
-- tables: findings
select f.date, f.severity, f.kind, f.title, f.rule, f.connections, f.first_seen, f.finding_id
from findings f
where f.first_seen >= $since
  and not exists (select 1 from findings e where e.finding_id = f.finding_id and e.first_seen < $since)
order by case f.severity when 'critical' then 0 when 'high' then 1 when 'medium' then 2 else 3 end, f.first_seen, f.finding_id
limit $most

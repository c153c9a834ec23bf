-- title: Worst findings
-- answers: What should somebody look at first?
-- read: One row a finding and day, the worst and newest first; muted ones are left out.
-- param since time 2014-01-01: Only what was seen from here on.
-- param most int 50: How many rows.
-- tables: findings
select date, severity, kind, title, rule, owner, connections, bytes, first_seen, last_seen, source, line, finding_id
from findings
where not muted and last_seen >= $since
order by case severity when 'critical' then 0 when 'high' then 1 when 'medium' then 2 else 3 end, last_seen desc, finding_id
limit $most

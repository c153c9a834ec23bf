-- title: Malformed lines
-- answers: Which lines could not be decoded, and why?
-- read: One row a reason with an example; the raw text is in `quarantine`.
-- param most int 50: How many rows.
-- tables: quarantine
select reason, count(*) as lines, min(source) as source, min(line) as line
from quarantine
group by reason
order by lines desc, reason
limit $most

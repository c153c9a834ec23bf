-- title: Duplicate flow logs
-- answers: Which interfaces are recorded by several flow logs, so that every record is paid for twice?
-- read: One row an interface and the object that tells; its copies are not judged and counted once.
-- param most int 50: How many rows.
-- tables: records
select interface_id, account_id, region, count(*) as copies, min(source) as source, min(start) as first_seen, max("end") as last_seen
from records
where rule = 'duplicate'
group by interface_id, account_id, region
order by copies desc, interface_id
limit $most

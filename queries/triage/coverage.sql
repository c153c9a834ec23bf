-- title: Coverage by flow log
-- answers: Which flow logs were read, and how much of each?
-- read: One row a flow log; unreadable objects and malformed lines should be 0.
-- tables: objects
select flow_log_id, account_id, region, count(*) as objects, count(unreadable) as unreadable,
       sum(records) as records, sum(malformed) as malformed, sum(no_data) as no_data, sum(skip_data) as skip_data,
       min(first_seen) as first_seen, max(last_seen) as last_seen
from objects
group by flow_log_id, account_id, region
order by flow_log_id, account_id, region

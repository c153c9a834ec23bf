-- title: Silent flow logs
-- answers: Which flow logs ended before the others?
-- read: The last publishing time of each flow log, the earliest first; minutes behind the newest one.
-- tables: objects
with last as (select flow_log_id, account_id, region, max(time) as last_time from objects where time is not null group by flow_log_id, account_id, region)
select flow_log_id, account_id, region, last_time,
       cast((extract(epoch from (select max(last_time) from last)) - extract(epoch from last_time)) / 60 as bigint) as minutes_behind
from last
order by last_time, flow_log_id

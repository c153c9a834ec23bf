-- title: Delay of logs
-- answers: How long after the traffic are records published?
-- read: Seconds from the last record's end to the object's publishing time; negative where records end after it, as AWS documents.
-- tables: objects
select flow_log_id, count(*) as objects,
       min(delay) as least, cast(avg(delay) as bigint) as mean, max(delay) as most
from (select flow_log_id, cast(extract(epoch from time) - extract(epoch from last_seen) as bigint) as delay
      from objects where time is not null and last_seen is not null)
group by flow_log_id
order by most desc, flow_log_id

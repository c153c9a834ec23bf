-- title: Lines without data
-- answers: Where did AWS lose records (SKIPDATA), and where was no traffic (NODATA)?
-- read: One row a flow log with such lines; SKIPDATA means that verdicts of the time may lack traffic.
-- tables: objects
select flow_log_id, sum(skip_data) as skip_data, sum(no_data) as no_data,
       round(100.0 * sum(skip_data) / nullif(sum(lines - blank - headers), 0), 3) as skip_percent,
       min(time) filter (where skip_data > 0) as first_skipped, max(time) filter (where skip_data > 0) as last_skipped
from objects
group by flow_log_id
having sum(skip_data) + sum(no_data) > 0
order by skip_data desc, no_data desc, flow_log_id

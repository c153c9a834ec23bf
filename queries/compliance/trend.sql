-- title: Trend
-- answers: Do violations grow or shrink, day by day and account by account?
-- read: Connections by day, account and verdict.
-- tables: edges
select date, coalesce(account_id, 'unknown') as account,
       coalesce(sum(connections) filter (where verdict = 'violation'), 0) as violation,
       coalesce(sum(connections) filter (where verdict = 'attempted'), 0) as attempted,
       coalesce(sum(connections) filter (where verdict = 'blocked'), 0) as blocked,
       sum(connections) as connections
from edges
where verdict <> 'unjudged'
group by date, 2
order by date, account

-- title: Trend
-- answers: Do violations grow or shrink, week by week and account by account?
-- read: Connections by period, account and verdict; `\plot` draws them.
-- param by text week: The period: day, week, month.
-- tables: edges
select date_trunc($by, cast(date as timestamp)) as begins, coalesce(account_id, 'unknown') as account,
       coalesce(sum(connections) filter (where verdict = 'violation'), 0) as violation,
       coalesce(sum(connections) filter (where verdict = 'attempted'), 0) as attempted,
       coalesce(sum(connections) filter (where verdict = 'blocked'), 0) as blocked,
       sum(connections) as connections
from edges
where verdict <> 'unjudged'
group by 1, 2
order by begins, account

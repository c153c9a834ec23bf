-- title: Unproven by rule
-- answers: Which rules could not be decided, for want of what the logs do not tell?
-- read: Log the missing fields, or change the rule.
-- param most int 50: How many rows.
-- tables: edges
select rule, lacked, client_tier, server_tier, server_port, sum(connections) as connections
from edges where verdict = 'unproven'
group by rule, lacked, client_tier, server_tier, server_port
order by connections desc, rule, lacked, client_tier, server_tier, server_port
limit $most

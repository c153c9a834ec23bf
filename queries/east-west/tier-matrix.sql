-- title: Tier by tier
-- answers: How much goes from which zone to which, and what does the policy say of it?
-- read: One row a pair of zones; connections by verdict.
-- tables: edges
select client_tier, server_tier,
       coalesce(sum(connections) filter (where verdict = 'compliant'), 0) as compliant,
       coalesce(sum(connections) filter (where verdict = 'violation'), 0) as violation,
       coalesce(sum(connections) filter (where verdict = 'attempted'), 0) as attempted,
       coalesce(sum(connections) filter (where verdict = 'blocked'), 0) as blocked,
       coalesce(sum(connections) filter (where verdict = 'overblocked'), 0) as overblocked,
       sum(bytes_to_server + bytes_to_client) as bytes
from edges
where verdict <> 'unjudged'
group by client_tier, server_tier
order by client_tier, server_tier

-- title: Exfiltration candidates
-- answers: Who sends much more to the internet than comes back?
-- read: Pairs by bytes sent; uploads and backups look the same, the rule and the destination tell.
-- param bytes int 10000000: So many bytes sent make a candidate.
-- param since time 2014-01-01: Only what was seen from here on.
-- param most int 50: How many rows.
-- tables: edges
select client_addr, client_workload, client_tier, server_addr, server_port, verdict, rule,
       sum(bytes_to_server) as bytes_out, sum(bytes_to_client) as bytes_in,
       round(cast(sum(bytes_to_server) as double) / greatest(sum(bytes_to_client), 1), 1) as ratio,
       min(first_seen) as first_seen, max(last_seen) as last_seen
from edges
where server_tier = 'internet' and verdict <> 'unjudged' and first_seen >= $since
group by client_addr, client_workload, client_tier, server_addr, server_port, verdict, rule
having sum(bytes_to_server) >= $bytes and sum(bytes_to_server) > 2 * sum(bytes_to_client)
order by bytes_out desc, client_addr, server_addr, server_port
limit $most

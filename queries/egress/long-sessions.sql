-- title: Long sessions
-- answers: Which pairs outside talked for longest within an hour?
-- read: Seconds between first and last record of an hour's edge; tunnels and remote shells stand out by few bytes over a long time.
-- param most int 50: How many rows.
-- tables: edges
select client_addr, client_tier, server_addr, server_tier, server_port, verdict,
       cast(extract(epoch from last_seen) - extract(epoch from first_seen) as bigint) as seconds,
       connections, bytes_to_server, bytes_to_client, first_seen
from edges
where verdict <> 'unjudged' and (server_tier = 'internet' or client_tier = 'internet')
order by seconds desc, bytes_to_server desc, client_addr, server_addr, server_port, first_seen
limit $most

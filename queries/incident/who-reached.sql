-- title: Who reached a server
-- answers: Who had access to an address, and was it meant so? (an access review)
-- read: Clients whose connections it accepted.
-- param addr addr: The address.
-- param most int 50: How many rows.
-- tables: edges
select client_addr, client_tier, client_workload, server_port, protocol_name(protocol) as protocol, verdict, rule,
       sum(connections) as connections, sum(bytes_to_client) as bytes_taken, min(first_seen) as first_seen, max(last_seen) as last_seen
from edges
where server_addr = $addr and outcome in ('established', 'delivered')
group by client_addr, client_tier, client_workload, server_port, protocol, verdict, rule
order by connections desc, client_addr, server_port
limit $most

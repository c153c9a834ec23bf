-- title: Service map
-- answers: What talks to what, by workload and service?
-- read: One row an edge of the map: compliant and denied traffic together.
-- param most int 50: How many rows.
-- tables: edges
select coalesce(client_workload, client_tier) as client, coalesce(server_workload, server_tier) as server,
       coalesce(service_name(protocol, server_port), cast(server_port as varchar), protocol_name(protocol)) as service,
       sum(connections) as connections, sum(bytes_to_server + bytes_to_client) as bytes,
       string_agg(distinct verdict, ',' order by verdict) as verdicts
from edges
where verdict <> 'unjudged' and outcome in ('established', 'delivered')
group by 1, 2, 3
order by connections desc, client, server, service
limit $most

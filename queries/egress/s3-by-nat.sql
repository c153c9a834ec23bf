-- title: S3 and DynamoDB by NAT
-- answers: Who reaches S3 or DynamoDB through NAT although a gateway endpoint is free?
-- read: Each row is money and a path past endpoint policies. Traffic whose records tell no path is left out.
-- param most int 50: How many rows.
-- tables: edges, policy_destinations
select coalesce(client_workload, client_addr) as client, client_tier, server_tier, via, verdict, rule,
       sum(connections) as connections, sum(bytes_to_server + bytes_to_client) as bytes
from edges
where verdict <> 'unjudged' and via <> 'gateway-endpoint'
  and server_tier in (select 'aws:S3' union all select 'aws:DYNAMODB'
                      union all select destination from policy_destinations
                      where array_has(aws_services, 'S3') or array_has(aws_services, 'DYNAMODB'))
group by 1, client_tier, server_tier, via, verdict, rule
order by bytes desc, client, server_tier, via, verdict
limit $most

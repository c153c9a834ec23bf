-- title: Bytes by tier and workload
-- answers: How much does each workload take in and send out?
-- read: Bytes of the workloads as clients and as servers.
-- param most int 50: How many rows.
-- tables: edges
select tier, workload, sum(sent) as sent, sum(received) as received
from (select client_tier as tier, client_workload as workload, bytes_to_server as sent, bytes_to_client as received from edges where verdict <> 'unjudged'
      union all
      select server_tier, server_workload, bytes_to_client, bytes_to_server from edges where verdict <> 'unjudged')
where workload is not null
group by tier, workload
order by sent desc, tier, workload
limit $most

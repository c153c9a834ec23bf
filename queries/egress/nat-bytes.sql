-- title: Bytes through NAT gateways
-- answers: Who sends how much through NAT, and what does it cost?
-- read: Processed bytes both ways times the price of a GB; hourly charges of the gateway are not in it. The gateway's own legs are left out.
-- param price float 0.045: Dollars a GB (us-east-1, AWS's price list of 2026).
-- param most int 50: How many rows.
-- tables: edges
select coalesce(client_workload, client_addr) as client, server_tier, server_port,
       sum(bytes_to_server) as bytes_out, sum(bytes_to_client) as bytes_in,
       round(sum(bytes_to_server + bytes_to_client) / 1e9 * $price, 4) as usd
from edges
where via = 'nat' and verdict <> 'unjudged'
group by 1, server_tier, server_port
order by usd desc, client, server_tier, server_port
limit $most

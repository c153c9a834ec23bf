-- title: Bytes between regions
-- answers: What goes to other regions by peering, and what does it cost?
-- read: Records of the sender's own interface whose traffic path is inter-region peering, so that no byte counts twice; the price is of a GB sent. It needs all records.
-- param price float 0.02: Dollars a GB (AWS's price list of 2026; by region 0.01 to 0.147).
-- param most int 50: How many rows.
-- tables: records
select region, client_tier, server_tier, server_port, rule, count(*) as records, sum(bytes) as bytes,
       round(sum(bytes) / 1e9 * $price, 4) as usd
from records
where traffic_path = 5 and verdict <> 'unjudged'
group by region, client_tier, server_tier, server_port, rule
order by bytes desc, region, client_tier, server_tier, server_port, rule
limit $most

-- title: Encryption by pair of zones
-- answers: Where is traffic encrypted in transit, as AWS tells?
-- read: Records by `encryption_status` (0 none, 1 by Nitro, 2 by the application, 3 both); null where the logs lack the field (version 10).
-- param most int 200: How many rows.
-- tables: records
select client_tier, server_tier, encryption_status, count(*) as records, sum(bytes) as bytes
from records
where verdict <> 'unjudged'
group by client_tier, server_tier, encryption_status
order by client_tier, server_tier, encryption_status
limit $most

-- title: Egress by owner and country
-- answers: Whose networks, and which countries, do the tiers talk to?
-- read: Owners are autonomous systems, by the file of --asn, countries by that of --geo; without a file they are empty.
-- param since time 2014-01-01: Only what was seen from here on.
-- param most int 50: How many rows.
-- tables: edges, policy_tiers
select asn(server_addr) as asn, as_name(server_addr) as owner, country(server_addr) as country, client_tier, verdict,
       count(distinct client_addr) as clients, count(distinct server_addr) as servers,
       sum(connections) as connections, sum(bytes_to_server) as bytes_out
from edges
where verdict <> 'unjudged' and first_seen >= $since and not is_private(server_addr)
  and client_tier in (select tier from policy_tiers)
  and server_tier not in (select tier from policy_tiers union all select 'unassigned')
group by 1, 2, 3, client_tier, verdict
order by bytes_out desc, asn, country, client_tier, verdict
limit $most

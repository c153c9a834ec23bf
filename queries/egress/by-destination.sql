-- title: Egress by destination
-- answers: Where does traffic of the tiers go, outside of them?
-- read: One row a tier, destination zone, way out and port; the heaviest first.
-- param most int 50: How many rows.
-- tables: edges, policy_tiers
select client_tier, server_tier, via, server_port, service_name(protocol, server_port) as service, verdict,
       count(distinct server_addr) as servers, sum(connections) as connections, sum(bytes_to_server) as bytes_out
from edges
where verdict <> 'unjudged'
  and client_tier in (select tier from policy_tiers)
  and server_tier not in (select tier from policy_tiers union all select 'unassigned')
group by client_tier, server_tier, via, protocol, server_port, verdict
order by bytes_out desc, client_tier, server_tier, server_port, verdict, via
limit $most

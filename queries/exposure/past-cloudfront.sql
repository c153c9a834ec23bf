-- title: Past CloudFront
-- answers: Who reaches the public tier's web ports without going through CloudFront?
-- read: Clients outside whose zone is not the allowed one; answered ones have gone round the web application firewall.
-- param tier text public: The tier behind CloudFront.
-- param front text cloudfront: The zone of CloudFront's addresses in the policy.
-- param most int 50: How many rows.
-- tables: edges, policy_tiers
select client_addr, client_tier, server_addr, server_port, outcome, verdict, rule,
       sum(connections) as connections, min(first_seen) as first_seen, max(last_seen) as last_seen
from edges
where server_tier = $tier and server_port in (80, 443) and protocol = 6 and client_tier <> $front
  and client_tier not in (select tier from policy_tiers) and verdict <> 'unjudged'
group by client_addr, client_tier, server_addr, server_port, outcome, verdict, rule
order by case outcome when 'established' then 0 when 'delivered' then 1 else 2 end, connections desc, client_addr, server_addr, server_port
limit $most

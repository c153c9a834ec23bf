-- title: DNS that bypasses the resolver
-- answers: Who asks name servers outside, in the clear (53), over TLS (853) or at a known DoH address?
-- read: The VPC's own resolver (169.254.169.253, or the base of the VPC plus two) is not logged, so what is here went past it.
-- param most int 50: How many rows.
-- tables: edges, policy_tiers
select client_addr, client_tier, server_addr, server_port, protocol_name(protocol) as protocol, verdict, rule,
       sum(connections) as connections, sum(bytes_to_server) as bytes_out
from edges
where verdict <> 'unjudged'
  and client_tier in (select tier from policy_tiers)
  and server_tier not in (select tier from policy_tiers)
  and (server_port in (53, 853)
       or (server_port = 443 and in_cidrs(server_addr, '1.1.1.1/32, 1.0.0.1/32, 8.8.8.8/32, 8.8.4.4/32, 9.9.9.9/32, 149.112.112.112/32,
           2606:4700:4700::1111/128, 2001:4860:4860::8888/128, 2620:fe::fe/128')))
group by client_addr, client_tier, server_addr, server_port, protocol, verdict, rule
order by connections desc, client_addr, server_addr, server_port
limit $most

-- title: Rejected replies
-- answers: Where are replies of allowed connections rejected? A stateless NACL is the usual cause.
-- read: Connections that were accepted one way and rejected the other.
-- param most int 50: How many rows.
-- tables: edges
select client_tier, server_tier, server_port, outcome, verdict, rule, sum(connections) as connections,
       min(source) as source
from edges
where outcome = 'rejected_return'
group by client_tier, server_tier, server_port, outcome, verdict, rule
order by connections desc, client_tier, server_tier, server_port, outcome, verdict, rule
limit $most

-- title: Cleartext ports
-- answers: Where do protocols without encryption run?
-- read: Established connections to ports whose protocols send passwords in the clear.
-- param most int 50: How many rows.
-- tables: edges
select client_tier, server_tier, server_port, service_name(protocol, server_port) as service, verdict,
       count(distinct client_addr) as clients, count(distinct server_addr) as servers, sum(connections) as connections
from edges
where protocol = 6 and server_port in (21, 23, 25, 80, 110, 143, 389, 513, 514, 1433, 1521, 3306, 5432, 6379, 9200, 11211, 27017)
  and outcome in ('established', 'delivered')
group by client_tier, server_tier, protocol, server_port, verdict
order by connections desc, client_tier, server_tier, server_port, verdict
limit $most

-- title: Egress by prefix
-- answers: Which prefixes of the internet get the most bytes?
-- read: One row a prefix (/24 of IPv4, /48 of IPv6), the heaviest first.
-- param since time 2014-01-01: Only what was seen from here on.
-- param most int 50: How many rows.
-- tables: edges
select addr_prefix(server_addr, case addr_family(server_addr) when 4 then 24 else 48 end) as prefix,
       count(distinct client_addr) as clients, count(distinct server_addr) as servers,
       sum(connections) as connections, sum(bytes_to_server) as bytes_out
from edges
where server_tier = 'internet' and verdict <> 'unjudged' and first_seen >= $since
group by 1
order by bytes_out desc, prefix
limit $most

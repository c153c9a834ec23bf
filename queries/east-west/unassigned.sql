-- title: Unassigned addresses
-- answers: Which addresses inside belong to no tier?
-- read: Each is a subnet that the policy does not know; its traffic is denied by default.
-- param most int 50: How many rows.
-- tables: edges
select addr_prefix(addr, case addr_family(addr) when 4 then 24 else 64 end) as prefix, count(distinct addr) as addresses, sum(connections) as connections, min(first_seen) as first_seen
from (select client_addr as addr, connections, first_seen from edges where client_tier = 'unassigned'
      union all
      select server_addr, connections, first_seen from edges where server_tier = 'unassigned')
group by 1
order by connections desc, prefix
limit $most

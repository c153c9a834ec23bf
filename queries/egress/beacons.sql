-- title: Beacon candidates
-- answers: Who calls an address outside at regular intervals?
-- read: Pairs with at least so many connections; spread is the mean deviation of the gaps from their mean, in percent: small is regular. Capture windows of a minute hide faster ones.
-- param least int 4: So many connections at least.
-- param spread float 20: So many percent at most.
-- param most int 50: How many rows.
-- tables: records
with calls as (
  select client_addr, server_addr, server_port, protocol, extract(epoch from min(start)) as at
  from records
  where server_tier = 'internet' and verdict <> 'unjudged' and observer = 'client' and start is not null
  group by client_addr, server_addr, server_port, protocol, client_port
), gaps as (
  select client_addr, server_addr, server_port, protocol,
         at - lag(at) over (partition by client_addr, server_addr, server_port, protocol order by at) as gap
  from calls
), means as (
  select *, avg(gap) over (partition by client_addr, server_addr, server_port, protocol) as mean from gaps where gap is not null
)
select client_addr, server_addr, server_port, protocol_name(protocol) as protocol, count(*) + 1 as connections,
       round(max(mean), 1) as mean_seconds, round(100 * avg(abs(gap - mean)) / nullif(max(mean), 0), 1) as spread_percent
from means
group by client_addr, server_addr, server_port, protocol
having count(*) + 1 >= $least and max(mean) > 0 and 100 * avg(abs(gap - mean)) / max(mean) <= $spread
order by spread_percent, connections desc, client_addr, server_addr, server_port
limit $most

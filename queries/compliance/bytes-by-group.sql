-- title: Bytes by group
-- answers: How much does each group of the policy take in and send out?
-- read: Bytes of its members as clients and as servers; members are told by prefix, so groups of interfaces or security groups alone have no row here.
-- tables: edges, policy_groups
with ends as (
  select groups(client_addr, first_seen) as of, bytes_to_server as sent, bytes_to_client as received from edges where verdict <> 'unjudged'
  union all
  select groups(server_addr, first_seen), bytes_to_client, bytes_to_server from edges where verdict <> 'unjudged'
), members as (
  select unnest(of) as group_name, sent, received from ends
)
select group_name, sum(sent) as sent, sum(received) as received
from members where group_name in (select group_name from policy_groups)
group by group_name
order by sent desc, group_name

//! The fields of a flow log record: 54 of VPC flow logs and 18 that only transit gateway flow logs have.
//!
//! Source: AWS, *Flow log records* (VPC User Guide) and *Transit Gateway Flow Log records*, text of 2026.

/// What a field holds, as AWS types its Parquet column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Text.
    Text,
    /// A signed 32-bit integer.
    Int32,
    /// A signed 64-bit integer.
    Int64,
    /// Unix time, in seconds in the log, a timestamp in our tables.
    Time,
}

macro_rules! fields {
    ($($variant:ident $name:literal $column:literal $version:literal $kind:ident;)*) => {
        /// A field that AWS documents. The order is AWS's own: VPC fields by version, then the transit gateway's.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u8)]
        #[allow(missing_docs)]
        pub enum Field { $($variant,)* }

        impl Field {
            /// Every field, in the order of the enum.
            pub const ALL: &'static [Field] = &[$(Field::$variant,)*];

            /// The name in a text log's header, with hyphens.
            pub const fn name(self) -> &'static str {
                match self { $(Field::$variant => $name,)* }
            }

            /// The column's name in Parquet and in our tables, with underscores.
            pub const fn column(self) -> &'static str {
                match self { $(Field::$variant => $column,)* }
            }

            /// The version of the flow log format that brought the field.
            pub const fn version(self) -> u8 {
                match self { $(Field::$variant => $version,)* }
            }

            /// The type of the column.
            #[inline]
            pub const fn kind(self) -> Kind {
                const KINDS: [Kind; Field::COUNT] = [$(Kind::$kind,)*];
                KINDS[self as usize]
            }
        }
    };
}

impl Field {
    /// The fields that tell who reported a record: interface, instance, their place and tags, a gateway's attachment.
    pub const OF_REPORTER: [Field; 19] = [
        Field::AccountId,
        Field::InterfaceId,
        Field::VpcId,
        Field::SubnetId,
        Field::InstanceId,
        Field::Region,
        Field::ResourceId,
        Field::EcsServiceName,
        Field::InstanceTag,
        Field::InstanceTag2,
        Field::InterfaceTag,
        Field::InterfaceTag2,
        Field::AsgTag,
        Field::AsgTag2,
        Field::InterfaceType,
        Field::ResourceType,
        Field::TgwAttachmentId,
        Field::TgwSrcVpcId,
        Field::TgwDstVpcId,
    ];

    /// The fields that hardly any two records of an interface have alike, but for the times.
    pub const OF_RECORD: [Field; 8] = [
        Field::Srcaddr,
        Field::Dstaddr,
        Field::Srcport,
        Field::Dstport,
        Field::Packets,
        Field::Bytes,
        Field::PktSrcaddr,
        Field::PktDstaddr,
    ];

    /// All other fields that are not times: few sets of them are met again and again.
    pub const OF_KIND: [Field; NUM_OF_KIND] = {
        let (of_record, of_reporter) = (places(&Field::OF_RECORD), places(&Field::OF_REPORTER));
        let mut rest = [Field::Version; NUM_OF_KIND];
        let (mut place, mut found) = (0, 0);
        while place < Field::COUNT {
            let field = Field::ALL[place];
            let is_other = of_record[place] != ABSENT || of_reporter[place] != ABSENT;
            if !matches!(field.kind(), Kind::Time) && !is_other {
                rest[found] = field;
                found += 1;
            }
            place += 1;
        }
        assert!(found == rest.len());
        rest
    };

    /// Whether the field is among [`Field::OF_REPORTER`].
    pub fn is_of_reporter(self) -> bool {
        self.place_of_reporter().is_some()
    }

    /// Its place among [`Field::OF_REPORTER`], if it is there.
    #[inline]
    pub fn place_of_reporter(self) -> Option<usize> {
        static PLACES: [u8; Field::COUNT] = places(&Field::OF_REPORTER);
        place(&PLACES, self)
    }

    /// Its place among [`Field::OF_RECORD`], if it is there.
    #[inline]
    pub fn place_of_record(self) -> Option<usize> {
        static PLACES: [u8; Field::COUNT] = places(&Field::OF_RECORD);
        place(&PLACES, self)
    }
}

/// How many fields are neither of a record, nor of a reporter, nor one of the two times.
const NUM_OF_KIND: usize = Field::COUNT - Field::OF_RECORD.len() - Field::OF_REPORTER.len() - 2;

/// Stands for no place.
const ABSENT: u8 = u8::MAX;

/// The place of each field among these.
const fn places(fields: &[Field]) -> [u8; Field::COUNT] {
    let mut places = [ABSENT; Field::COUNT];
    let mut place = 0;
    while place < fields.len() {
        places[fields[place] as usize] = place as u8;
        place += 1;
    }
    places
}

#[inline]
fn place(places: &[u8; Field::COUNT], field: Field) -> Option<usize> {
    let place = places[field as usize];
    (place != ABSENT).then_some(usize::from(place))
}

fields! {
    Version "version" "version" 2 Int32;
    AccountId "account-id" "account_id" 2 Text;
    InterfaceId "interface-id" "interface_id" 2 Text;
    Srcaddr "srcaddr" "srcaddr" 2 Text;
    Dstaddr "dstaddr" "dstaddr" 2 Text;
    Srcport "srcport" "srcport" 2 Int32;
    Dstport "dstport" "dstport" 2 Int32;
    Protocol "protocol" "protocol" 2 Int32;
    Packets "packets" "packets" 2 Int64;
    Bytes "bytes" "bytes" 2 Int64;
    Start "start" "start" 2 Time;
    End "end" "end" 2 Time;
    Action "action" "action" 2 Text;
    LogStatus "log-status" "log_status" 2 Text;
    VpcId "vpc-id" "vpc_id" 3 Text;
    SubnetId "subnet-id" "subnet_id" 3 Text;
    InstanceId "instance-id" "instance_id" 3 Text;
    TcpFlags "tcp-flags" "tcp_flags" 3 Int32;
    Type "type" "type" 3 Text;
    PktSrcaddr "pkt-srcaddr" "pkt_srcaddr" 3 Text;
    PktDstaddr "pkt-dstaddr" "pkt_dstaddr" 3 Text;
    Region "region" "region" 4 Text;
    AzId "az-id" "az_id" 4 Text;
    SublocationType "sublocation-type" "sublocation_type" 4 Text;
    SublocationId "sublocation-id" "sublocation_id" 4 Text;
    PktSrcAwsService "pkt-src-aws-service" "pkt_src_aws_service" 5 Text;
    PktDstAwsService "pkt-dst-aws-service" "pkt_dst_aws_service" 5 Text;
    FlowDirection "flow-direction" "flow_direction" 5 Text;
    TrafficPath "traffic-path" "traffic_path" 5 Int32;
    EcsClusterArn "ecs-cluster-arn" "ecs_cluster_arn" 7 Text;
    EcsClusterName "ecs-cluster-name" "ecs_cluster_name" 7 Text;
    EcsContainerInstanceArn "ecs-container-instance-arn" "ecs_container_instance_arn" 7 Text;
    EcsContainerInstanceId "ecs-container-instance-id" "ecs_container_instance_id" 7 Text;
    EcsContainerId "ecs-container-id" "ecs_container_id" 7 Text;
    EcsSecondContainerId "ecs-second-container-id" "ecs_second_container_id" 7 Text;
    EcsServiceName "ecs-service-name" "ecs_service_name" 7 Text;
    EcsTaskDefinitionArn "ecs-task-definition-arn" "ecs_task_definition_arn" 7 Text;
    EcsTaskArn "ecs-task-arn" "ecs_task_arn" 7 Text;
    EcsTaskId "ecs-task-id" "ecs_task_id" 7 Text;
    RejectReason "reject-reason" "reject_reason" 8 Text;
    ResourceId "resource-id" "resource_id" 9 Text;
    EncryptionStatus "encryption-status" "encryption_status" 10 Int32;
    InstanceTag "instance-tag" "instance_tag" 11 Text;
    InstanceTag2 "instance-tag-2" "instance_tag_2" 11 Text;
    InterfaceTag "interface-tag" "interface_tag" 11 Text;
    InterfaceTag2 "interface-tag-2" "interface_tag_2" 11 Text;
    AsgTag "asg-tag" "asg_tag" 11 Text;
    AsgTag2 "asg-tag-2" "asg_tag_2" 11 Text;
    InterfaceType "interface-type" "interface_type" 11 Text;
    NextHopInterfaceId "next-hop-interface-id" "next_hop_interface_id" 11 Text;
    NextHopSubnetId "next-hop-subnet-id" "next_hop_subnet_id" 11 Text;
    NextHopAzId "next-hop-az-id" "next_hop_az_id" 11 Text;
    NextHopVpcId "next-hop-vpc-id" "next_hop_vpc_id" 11 Text;
    NextHopInterfaceType "next-hop-interface-type" "next_hop_interface_type" 11 Text;
    ResourceType "resource-type" "resource_type" 6 Text;
    TgwId "tgw-id" "tgw_id" 6 Text;
    TgwAttachmentId "tgw-attachment-id" "tgw_attachment_id" 6 Text;
    TgwSrcVpcAccountId "tgw-src-vpc-account-id" "tgw_src_vpc_account_id" 6 Text;
    TgwDstVpcAccountId "tgw-dst-vpc-account-id" "tgw_dst_vpc_account_id" 6 Text;
    TgwSrcVpcId "tgw-src-vpc-id" "tgw_src_vpc_id" 6 Text;
    TgwDstVpcId "tgw-dst-vpc-id" "tgw_dst_vpc_id" 6 Text;
    TgwSrcSubnetId "tgw-src-subnet-id" "tgw_src_subnet_id" 6 Text;
    TgwDstSubnetId "tgw-dst-subnet-id" "tgw_dst_subnet_id" 6 Text;
    TgwSrcEni "tgw-src-eni" "tgw_src_eni" 6 Text;
    TgwDstEni "tgw-dst-eni" "tgw_dst_eni" 6 Text;
    TgwSrcAzId "tgw-src-az-id" "tgw_src_az_id" 6 Text;
    TgwDstAzId "tgw-dst-az-id" "tgw_dst_az_id" 6 Text;
    TgwPairAttachmentId "tgw-pair-attachment-id" "tgw_pair_attachment_id" 6 Text;
    PacketsLostNoRoute "packets-lost-no-route" "packets_lost_no_route" 6 Int64;
    PacketsLostBlackhole "packets-lost-blackhole" "packets_lost_blackhole" 6 Int64;
    PacketsLostMtuExceeded "packets-lost-mtu-exceeded" "packets_lost_mtu_exceeded" 6 Int64;
    PacketsLostTtlExpired "packets-lost-ttl-expired" "packets_lost_ttl_expired" 6 Int64;
}

impl Field {
    /// How many fields there are.
    pub const COUNT: usize = Field::ALL.len();

    /// The field of this name, written with hyphens or with underscores.
    pub fn from_name(name: &str) -> Option<Field> {
        Field::ALL
            .iter()
            .copied()
            .find(|field| field.name() == name || field.column() == name)
    }
}

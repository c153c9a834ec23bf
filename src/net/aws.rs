//! AWS service codes as they stand in `pkt-src-aws-service` and `pkt-dst-aws-service`.
//!
//! Source: AWS, *Flow log records* (VPC User Guide), the values of those two fields; AWS extends the list.

/// The documented codes, sorted; a [`Service`] is an index into it.
pub const SERVICES: [&str; 27] = [
    "AMAZON",
    "AMAZON_APPFLOW",
    "AMAZON_CONNECT",
    "API_GATEWAY",
    "AURORA_DSQL",
    "CHIME_MEETINGS",
    "CHIME_VOICECONNECTOR",
    "CLOUD9",
    "CLOUDFRONT",
    "CLOUDFRONT_ORIGIN_FACING",
    "CODEBUILD",
    "DYNAMODB",
    "EBS",
    "EC2",
    "EC2_INSTANCE_CONNECT",
    "GLOBALACCELERATOR",
    "IVS_LOW_LATENCY",
    "IVS_REALTIME",
    "KINESIS_VIDEO_STREAMS",
    "MEDIA_PACKAGE_V2",
    "ROUTE53",
    "ROUTE53_HEALTHCHECKS",
    "ROUTE53_HEALTHCHECKS_PUBLISHING",
    "ROUTE53_RESOLVER",
    "S3",
    "WORKSPACES_GATEWAYS",
    // Not a code of the record's fields but of ip-ranges.json, kept so that every name fits one table.
    "WORKSPACES",
];

/// What a record says of an end's AWS service.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Service {
    /// The record has no such field, so it cannot say.
    #[default]
    Unknown,
    /// The field is there and is `-`: evidence that the address is of no AWS service.
    None,
    /// The code at this index of [`SERVICES`].
    Known(u8),
    /// A code that the list does not have; its text is in the record.
    Other,
}

impl Service {
    /// The service that a field's text names; `-` is [`Service::None`].
    pub fn from_text(text: &[u8]) -> Service {
        if text == b"-" {
            return Service::None;
        }
        match SERVICES.iter().position(|name| name.as_bytes() == text) {
            Some(index) => Service::Known(index as u8),
            None => Service::Other,
        }
    }
}

/// The bit that stands, in sets of services, for all codes that [`SERVICES`] does not have: the highest of 32, so that
/// what records can say fits into 32 bits.
pub const OTHER_BIT: u64 = 1 << 31;

impl Service {
    /// The service as a set: bit `i` is `SERVICES[i]`, [`OTHER_BIT`] a code that the list does not have.
    pub fn bits(self) -> u64 {
        match self {
            Service::Unknown | Service::None => 0,
            Service::Known(index) => 1 << index,
            Service::Other => OTHER_BIT,
        }
    }
}

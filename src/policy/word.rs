//! The small vocabularies of the policy: what it answers, paths, severities.

/// A word of a small vocabulary.
pub trait Word: Copy + 'static {
    /// Every word, in order.
    const WORDS: &'static [Self];

    /// Its place among them.
    fn place(self) -> usize;

    /// The word as it stands in files and tables.
    fn word(self) -> &'static str;
}

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* })*) => {
        $($(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// The word as it stands in files and tables.
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }

            /// The value that this word names.
            pub fn from_word(word: &str) -> Option<$name> {
                $name::ALL.iter().copied().find(|value| value.as_str() == word)
            }
        }

        impl $crate::policy::Word for $name {
            const WORDS: &'static [$name] = $name::ALL;

            #[inline]
            fn place(self) -> usize {
                self as usize
            }

            fn word(self) -> &'static str {
                self.as_str()
            }
        })*
    };
}
pub(crate) use words;

words! {
    /// What the policy says of a connection: the `decision` column.
    Answer {
        /// Permitted.
        Allow = "allow",
        /// Forbidden.
        Deny = "deny",
        /// It would be permitted if evidence that is missing said so.
        Unproven = "unproven",
    }

    /// The way out that a connection took: the `via` column.
    Path {
        /// Within the VPC.
        Local = "local",
        /// Through a NAT gateway.
        Nat = "nat",
        /// Through a gateway endpoint (S3, DynamoDB).
        GatewayEndpoint = "gateway-endpoint",
        /// Through an internet gateway.
        InternetGateway = "internet-gateway",
        /// Through a virtual private gateway.
        Vgw = "vgw",
        /// Through VPC peering, within or between regions.
        Peering = "peering",
        /// To a Local Zone or Wavelength Zone.
        LocalZone = "local-zone",
    }

    /// How bad it is. The order is that of severity.
    Severity {
        /// Counted, can be queried, never a finding.
        Info = "info",
        /// Low.
        Low = "low",
        /// Medium.
        Medium = "medium",
        /// High.
        High = "high",
        /// Critical.
        Critical = "critical",
    }

    /// How much a tier matters.
    Criticality {
        /// Less than others: severities from medium go one step down.
        Low = "low",
        /// The default.
        Medium = "medium",
        /// More than others: severities from medium go one step up.
        High = "high",
    }
}

impl Severity {
    /// One step worse; critical stays.
    pub fn up(self) -> Severity {
        match self {
            Severity::Info => Severity::Low,
            Severity::Low => Severity::Medium,
            Severity::Medium => Severity::High,
            Severity::High | Severity::Critical => Severity::Critical,
        }
    }

    /// One step milder; info stays.
    pub fn down(self) -> Severity {
        match self {
            Severity::Info | Severity::Low => Severity::Info,
            Severity::Medium => Severity::Low,
            Severity::High => Severity::Medium,
            Severity::Critical => Severity::High,
        }
    }
}

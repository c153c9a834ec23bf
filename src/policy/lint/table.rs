//! The table of lints: codes, names, levels, and the page of the manual about each.

/// How bad a lint is. The order is that of badness.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum LintLevel {
    /// Worth knowing; often meant.
    Note,
    /// Probably not meant.
    Warning,
    /// The file is no policy.
    Error,
}

impl LintLevel {
    /// Its word, which is also SARIF's.
    pub fn as_str(self) -> &'static str {
        match self {
            LintLevel::Note => "note",
            LintLevel::Warning => "warning",
            LintLevel::Error => "error",
        }
    }
}

/// A kind of lint.
#[derive(PartialEq, Eq, Debug)]
pub struct LintKind {
    /// Its code, which no other lint gets even when this one is gone.
    pub code: &'static str,
    /// Its name.
    pub name: &'static str,
    /// How bad it is at most.
    pub level: LintLevel,
    /// What it finds, in a line.
    pub finds: &'static str,
    /// The page of the manual about it.
    pub page: &'static str,
}

macro_rules! lints {
    ($($kind:ident = $code:literal $name:literal $level:ident $finds:literal;)*) => {
        $(
            #[doc = $finds]
            pub static $kind: LintKind = LintKind {
                code: $code,
                name: $name,
                level: LintLevel::$level,
                finds: $finds,
                page: include_str!(concat!("../../../docs/lints/", $name, ".md")),
            };
        )*

        /// All kinds, by their codes; the first is that of errors.
        pub static LINTS: [&LintKind; [$($code),*].len()] = [$(&$kind),*];
    };
}

lints! {
    ERROR = "E000" "error" Error
        "What makes a file no policy.";
    SHADOWED_RULE = "P001" "shadowed-rule" Warning
        "A rule that changes no answer, because another does all that it does and more.";
    DUPLICATE_RULE = "P002" "duplicate-rule" Warning
        "A rule that matches just what another matches.";
    ALWAYS_DENIED = "P003" "always-denied" Warning
        "An allow that permits nothing, because a deny matches whatever it matches.";
    NEVER_MATCHES = "P004" "never-matches" Warning
        "A rule that nothing can match.";
    ANY_TO_ANY = "P005" "any-to-any" Warning
        "An allow from any to any.";
    ANYBODYS_SERVICE = "P006" "anybodys-service" Warning
        "An allow by AWS services whose addresses are anybody's, such as EC2 and AMAZON.";
    SHARED_CDN = "P007" "shared-cdn" Warning
        "A domain on a content delivery network that many share.";
    LONG_EXCEPTION = "P008" "long-exception" Warning
        "An allow with an end that lasts longer than 90 days.";
    EXPIRED_RULE = "P009" "expired-rule" Warning
        "A rule that is over.";
    EXPIRING_RULE = "P010" "expiring-rule" Note
        "A rule that ends within 14 days.";
    UNUSED_NAME = "P011" "unused-name" Note
        "A group, destination or service that nothing names.";
    EMPTY_TIER = "P012" "empty-tier" Warning
        "A tier without subnets.";
    OVERLAPPING_TIERS = "P013" "overlapping-tiers" Warning
        "A subnet inside a subnet of another tier.";
    UNRESOLVED_GROUP = "P014" "unresolved-group" Warning
        "A group whose members cannot be told from what is loaded.";
    CUT_REPLIES = "P015" "cut-replies" Note
        "A deny that would cut replies of allowed connections if it were put into a network ACL.";
    ONLY_PORTS_OUT = "P016" "only-ports-out" Note
        "A deny of all ports but some that would cut replies of allowed connections if it were put into a network ACL.";
    ACL_SIZE = "P017" "acl-size" Warning
        "A rule that takes more entries than a network ACL has.";
    NOT_COMPARED = "P018" "not-compared" Note
        "A file too large for its rules to be compared with each other.";
}

//! Whose an address of the internet is, and where: files in MaxMind's format, as MaxMind, DB-IP and IPinfo give them
//! (<https://maxmind.github.io/MaxMind-DB/>).

use std::sync::Arc;

use maxminddb::{MaxMindDbError, PathElement, Reader};

use super::Addr;

/// Networks of a file that are looked at before it is taken for one of another kind.
const LOOKED_AT: usize = 1000;

/// Bytes of a file at most: some times what the largest of those that are given away have. Files are held in memory.
const LARGEST: usize = 512 << 20;

/// Names under which the files hold what is asked for: GeoLite2's and DB-IP's first, then IPinfo's.
const NUMBER: [&[PathElement<'_>]; 2] = [&[key("autonomous_system_number")], &[key("asn")]];
const OWNER: [&[PathElement<'_>]; 3] = [
    &[key("autonomous_system_organization")],
    &[key("as_name")],
    &[key("name")],
];
const COUNTRY: [&[PathElement<'_>]; 3] = [
    &[key("country"), key("iso_code")],
    &[key("country_code")],
    &[key("country")],
];

const fn key(name: &str) -> PathElement<'_> {
    PathElement::Key(name)
}

/// Whose an address is, and where; each part is none where no file tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The number of the autonomous system that announces it.
    pub asn: Option<i64>,
    /// Who that belongs to.
    pub as_name: Option<String>,
    /// The country, two letters (ISO 3166-1).
    pub country: Option<String>,
}

impl Origin {
    /// Whether nothing is known.
    pub fn is_unknown(&self) -> bool {
        *self == Origin::default()
    }
}

impl std::fmt::Display for Origin {
    /// What is known, for people: `AS64498 Example Cloud, US`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let number = self.asn.map(|asn| format!("AS{asn}"));
        let system = [number.as_deref(), self.as_name.as_deref()];
        let system: Vec<&str> = system.into_iter().flatten().collect();
        let system = system.join(" ");
        let country = self.country.as_deref().unwrap_or_default();
        let parts = [system.as_str(), country];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        f.write_str(&parts.join(", "))
    }
}

/// What was given of such files; they are held in memory, once however often this is cloned.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    asn: Option<Arc<Reader<Vec<u8>>>>,
    geo: Option<Arc<Reader<Vec<u8>>>>,
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OriginsError {
    /// It is broken, or something else.
    #[error("expected a database in MaxMind's format: {0}")]
    Format(#[from] MaxMindDbError),
    /// It is too large to be held in memory.
    #[error("expected at most {} MiB, got {} MiB", LARGEST >> 20, size.div_ceil(1 << 20))]
    Large {
        /// Its size, bytes.
        size: usize,
    },
    /// It holds something else.
    #[error("expected {expected}, got a database `{kind}` that has none")]
    Other {
        /// What it was given for.
        expected: &'static str,
        /// What it calls itself.
        kind: String,
    },
}

impl Origins {
    /// Has a file tell autonomous systems.
    ///
    /// # Errors
    /// When the file is none, or holds none.
    pub fn set_asn(&mut self, file: Vec<u8>) -> Result<(), OriginsError> {
        self.asn = Some(reader(file, "autonomous systems", &NUMBER)?);
        Ok(())
    }

    /// Has a file tell countries.
    ///
    /// # Errors
    /// When the file is none, or holds none.
    pub fn set_geo(&mut self, file: Vec<u8>) -> Result<(), OriginsError> {
        self.geo = Some(reader(file, "countries", &COUNTRY)?);
        Ok(())
    }

    /// These files, and others for what no file of these is for.
    pub fn or(self, others: Origins) -> Origins {
        Origins {
            asn: self.asn.or(others.asn),
            geo: self.geo.or(others.geo),
        }
    }

    /// Whether there is no file.
    pub fn is_empty(&self) -> bool {
        self.asn.is_none() && self.geo.is_none()
    }

    /// All that is told of an address.
    ///
    /// # Errors
    /// When a file is broken.
    pub fn of(&self, addr: Addr) -> Result<Origin, MaxMindDbError> {
        Ok(Origin {
            asn: self.asn(addr)?,
            as_name: self.as_name(addr)?,
            country: self.country(addr)?,
        })
    }

    /// The number of the autonomous system that announces an address; none where that is not known.
    ///
    /// # Errors
    /// When the file is broken.
    pub fn asn(&self, addr: Addr) -> Result<Option<i64>, MaxMindDbError> {
        let Some(reader) = &self.asn else {
            return Ok(None);
        };
        if let Some(number) = at::<u32>(reader, addr, NUMBER[0])? {
            return Ok(Some(number.into()));
        }
        let text: Option<String> = at(reader, addr, NUMBER[1])?;
        Ok(text.and_then(|text| text.trim_start_matches("AS").parse().ok()))
    }

    /// Who it belongs to.
    ///
    /// # Errors
    /// When the file is broken.
    pub fn as_name(&self, addr: Addr) -> Result<Option<String>, MaxMindDbError> {
        first_of(self.asn.as_deref(), addr, &OWNER)
    }

    /// The country of an address: two letters (ISO 3166-1).
    ///
    /// # Errors
    /// When the file is broken.
    pub fn country(&self, addr: Addr) -> Result<Option<String>, MaxMindDbError> {
        first_of(self.geo.as_deref(), addr, &COUNTRY)
    }
}

fn reader(
    file: Vec<u8>,
    expected: &'static str,
    keys: &[&[PathElement<'_>]],
) -> Result<Arc<Reader<Vec<u8>>>, OriginsError> {
    if file.len() > LARGEST {
        return Err(OriginsError::Large { size: file.len() });
    }
    let reader = Reader::from_source(file)?;
    for network in reader.networks(Default::default())?.take(LOOKED_AT) {
        let network = network?;
        for key in keys {
            // Of whatever type it is.
            match network.decode_path::<serde::de::IgnoredAny>(key) {
                Ok(Some(_)) => return Ok(Arc::new(reader)),
                Ok(None) => {}
                // A text where a map was expected is another name's.
                Err(MaxMindDbError::Decoding { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Err(OriginsError::Other {
        expected,
        kind: reader.metadata().database_type.clone(),
    })
}

/// What stands under a name; none where nothing does, or something of another type.
fn at<T: for<'d> serde::Deserialize<'d>>(
    reader: &Reader<Vec<u8>>,
    addr: Addr,
    path: &[PathElement<'_>],
) -> Result<Option<T>, MaxMindDbError> {
    if !addr.is_v4() && reader.metadata().ip_version == 4 {
        return Ok(None);
    }
    match reader.lookup(addr.to_ip())?.decode_path(path) {
        Err(MaxMindDbError::Decoding { .. }) => Ok(None),
        found => found,
    }
}

fn first_of(
    reader: Option<&Reader<Vec<u8>>>,
    addr: Addr,
    paths: &[&[PathElement<'_>]],
) -> Result<Option<String>, MaxMindDbError> {
    let Some(reader) = reader else {
        return Ok(None);
    };
    for path in paths {
        let found: Option<String> = at(reader, addr, path)?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> Vec<u8> {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/origins");
        std::fs::read(folder.join(name)).expect("a readable file")
    }

    fn origins(asn: &str, geo: &str) -> Origins {
        let mut origins = Origins::default();
        origins.set_asn(file(asn)).expect("autonomous systems");
        origins.set_geo(file(geo)).expect("countries");
        origins
    }

    #[test]
    fn files_of_several_makers_say_the_same() {
        let by_two = origins("asn.mmdb", "country.mmdb");
        let by_one = origins("both.mmdb", "both.mmdb");
        for origins in [by_two, by_one] {
            let told = |addr: &str| {
                let addr = addr.parse().expect("an address");
                origins.of(addr).expect("files that are whole").to_string()
            };
            assert_eq!(told("203.0.113.9"), "AS64498 Example Cloud, US");
            assert_eq!(told("2001:db8::9"), "AS64499 Example Six, JP");
            assert_eq!(told("203.0.113.200"), "");
        }
        let addr = "203.0.113.9".parse().expect("an address");
        let nothing = Origins::default().of(addr).expect("no file");
        assert!(nothing.is_unknown() && Origins::default().is_empty());
    }

    #[test]
    fn what_is_known_in_part_is_shown_in_part() {
        fn check(asn: Option<i64>, as_name: Option<&str>, country: Option<&str>, expected: &str) {
            let origin = Origin {
                asn,
                as_name: as_name.map(str::to_owned),
                country: country.map(str::to_owned),
            };
            assert_eq!(origin.to_string(), expected);
        }
        check(Some(1), None, None, "AS1");
        check(None, Some("Example"), Some("US"), "Example, US");
        check(None, None, Some("US"), "US");
    }

    #[test]
    fn a_file_of_another_kind_is_refused() {
        let asn = |name| Origins::default().set_asn(file(name)).expect_err("refused");
        let geo = |name| Origins::default().set_geo(file(name)).expect_err("refused");
        for (error, words) in [
            (asn("country.mmdb"), "expected autonomous systems"),
            (geo("asn.mmdb"), "expected countries"),
            (geo("write.py"), "expected a database in MaxMind's format"),
        ] {
            assert!(error.to_string().contains(words), "{error}");
        }
    }

    #[test]
    fn a_file_that_is_too_large_is_refused() {
        let error = Origins::default().set_geo(vec![0; LARGEST + 1]);
        let error = error.expect_err("refused").to_string();
        assert_eq!(error, "expected at most 512 MiB, got 513 MiB");
    }

    #[test]
    fn a_file_that_is_cut_short_or_garbled_is_refused_or_says_so_never_more() {
        let whole = file("asn.mmdb");
        for at in (0..whole.len()).step_by(7) {
            let mut garbled = whole.clone();
            garbled[at] ^= 0xa5;
            for bytes in [garbled, whole[..at].to_vec()] {
                let mut origins = Origins::default();
                if origins.set_asn(bytes).is_ok() {
                    for addr in ["203.0.113.9", "2001:db8::9", "198.51.100.1"] {
                        let _ = origins.of(addr.parse().expect("an address"));
                    }
                }
            }
        }
    }
}

//! Whose an address of the internet is, and where: files in MaxMind's format, as MaxMind, DB-IP and IPinfo give them.

use std::path::Path;

use maxminddb::{MaxMindDbError, PathElement, Reader};

use crate::net::Addr;

/// Networks of a file that are looked at before it is taken for one of another kind.
const LOOKED_AT: usize = 1000;

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

/// What was given of such files; they are held in memory.
#[derive(Debug, Default)]
pub struct Places {
    asn: Option<Reader<Vec<u8>>>,
    geo: Option<Reader<Vec<u8>>>,
}

/// Why a file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum PlacesError {
    /// It cannot be read, or is none.
    #[error("cannot read `{path}` as a database in MaxMind's format: {error}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        error: MaxMindDbError,
    },
    /// It holds something else.
    #[error("expected {expected} in `{path}`, got a database `{kind}` that has none")]
    Other {
        /// The file.
        path: String,
        /// What it was given for.
        expected: &'static str,
        /// What it calls itself.
        kind: String,
    },
}

impl Places {
    /// Reads a file of autonomous systems, and one of countries.
    ///
    /// # Errors
    /// When one cannot be read, or holds no such thing.
    pub fn open(asn: Option<&Path>, geo: Option<&Path>) -> Result<Places, PlacesError> {
        let open = |path: Option<&Path>, expected, keys: &[&[PathElement<'_>]]| {
            path.map(|path| opened(path, expected, keys)).transpose()
        };
        Ok(Places {
            asn: open(asn, "autonomous systems", &NUMBER)?,
            geo: open(geo, "countries", &COUNTRY)?,
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
        first_of(self.asn.as_ref(), addr, &OWNER)
    }

    /// The country of an address: two letters (ISO 3166-1).
    ///
    /// # Errors
    /// When the file is broken.
    pub fn country(&self, addr: Addr) -> Result<Option<String>, MaxMindDbError> {
        first_of(self.geo.as_ref(), addr, &COUNTRY)
    }
}

fn opened(
    path: &Path,
    expected: &'static str,
    keys: &[&[PathElement<'_>]],
) -> Result<Reader<Vec<u8>>, PlacesError> {
    let named = || path.display().to_string();
    let unreadable = |error| PlacesError::Unreadable {
        path: named(),
        error,
    };
    let reader = Reader::open_readfile(path).map_err(unreadable)?;
    let networks = reader.networks(Default::default()).map_err(unreadable)?;
    for network in networks.take(LOOKED_AT) {
        let network = network.map_err(unreadable)?;
        for key in keys {
            // Of whatever type it is.
            match network.decode_path::<serde::de::IgnoredAny>(key) {
                Ok(Some(_)) => return Ok(reader),
                Ok(None) => {}
                // A text where a map was expected is another name's.
                Err(MaxMindDbError::Decoding { .. }) => {}
                Err(error) => return Err(unreadable(error)),
            }
        }
    }
    Err(PlacesError::Other {
        path: named(),
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

    fn file(name: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/places")
            .join(name)
    }

    fn told(places: &Places, addr: &str) -> (Option<i64>, Option<String>, Option<String>) {
        let addr = addr.parse().expect("an address");
        (
            places.asn(addr).expect("a number"),
            places.as_name(addr).expect("a name"),
            places.country(addr).expect("a country"),
        )
    }

    #[test]
    fn files_of_several_makers_say_the_same() {
        let two = Places::open(Some(&file("asn.mmdb")), Some(&file("country.mmdb")));
        let one = Places::open(Some(&file("both.mmdb")), Some(&file("both.mmdb")));
        for places in [two.expect("they are read"), one.expect("it is read")] {
            let owned = |number, name: &str, country: &str| {
                (
                    Some(number),
                    Some(name.to_owned()),
                    Some(country.to_owned()),
                )
            };
            assert_eq!(
                told(&places, "203.0.113.9"),
                owned(64498, "Example Cloud", "US")
            );
            assert_eq!(
                told(&places, "2001:db8::9"),
                owned(64499, "Example Six", "JP")
            );
            assert_eq!(told(&places, "203.0.113.200"), (None, None, None));
        }
        assert_eq!(told(&Places::default(), "203.0.113.9"), (None, None, None));
    }

    #[test]
    fn a_file_of_another_kind_is_refused() {
        let asn = |name| Places::open(Some(&file(name)), None).expect_err("it is refused");
        let geo = |name| Places::open(None, Some(&file(name))).expect_err("it is refused");
        for (error, words) in [
            (asn("country.mmdb"), "expected autonomous systems"),
            (geo("asn.mmdb"), "expected countries"),
            (geo("write.py"), "cannot read"),
            (asn("none"), "No such file"),
        ] {
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}

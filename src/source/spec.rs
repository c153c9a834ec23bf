//! What people type for a source.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use globset::{GlobBuilder, GlobMatcher};
use walkdir::WalkDir;

use super::SourceError;

/// A source as it was typed, understood but not yet listed.
#[derive(Clone, Debug)]
pub struct Source {
    text: String,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Stdin,
    /// Paths that exist: one, or all that a glob matched.
    Paths(Vec<Place>),
    S3 {
        bucket: Arc<str>,
        prefix: String,
    },
}

/// A path that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    File(PathBuf),
    /// A pipe or a device: it can be read only once, and not at any place.
    Pipe(PathBuf),
    Folder(PathBuf),
}

impl Source {
    /// Understands `s3://bucket/prefix`, `-` (standard input), a file, a folder or a glob. A path that exists is that
    /// path, whatever characters it has.
    ///
    /// # Errors
    /// When it is none of them, does not exist, or matches nothing.
    pub fn parse(text: &str) -> Result<Source, SourceError> {
        let kind = if text == "-" {
            Kind::Stdin
        } else if let Some(rest) = text.strip_prefix("s3://") {
            parse_s3(text, rest)?
        } else {
            parse_path(text)?
        };
        Ok(Source {
            text: text.to_owned(),
            kind,
        })
    }

    /// Whether it takes S3 to read it.
    pub fn is_s3(&self) -> bool {
        matches!(self.kind, Kind::S3 { .. })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

fn parse_s3(text: &str, rest: &str) -> Result<Kind, SourceError> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let advice = if bucket.is_empty() {
        Some("name the bucket: `s3://bucket/prefix`")
    } else if rest.contains(['*', '?']) {
        Some(
            "globs are for local paths; narrow a bucket by --accounts, --regions, --since and --until",
        )
    } else if prefix.starts_with('/') || prefix.contains("//") {
        Some("write single slashes")
    } else {
        return Ok(Kind::S3 {
            bucket: bucket.into(),
            prefix: prefix.to_owned(),
        });
    };
    Err(words(text, advice))
}

fn parse_path(text: &str) -> Result<Kind, SourceError> {
    if text.is_empty() {
        return Err(words(text, None));
    }
    if let Some(place) = place(Path::new(text)) {
        return Ok(Kind::Paths(vec![place]));
    }
    if let Some((scheme, _)) = text.split_once("://") {
        let advice = match scheme {
            "sqs" => Some("queues are for `tidegate watch`"),
            "file" => Some("write the path alone"),
            "S3" | "s3a" | "s3n" => Some("write `s3://`"),
            _ => None,
        };
        return Err(words(text, advice));
    }
    if text.contains(['*', '?', '[', '{']) {
        return Ok(Kind::Paths(matches(text)?));
    }
    let nearest = Path::new(text)
        .ancestors()
        .skip(1)
        .find(|parent| !parent.as_os_str().is_empty() && parent.exists());
    Err(SourceError::NotFound {
        path: text.to_owned(),
        nearest: nearest.map(|parent| parent.display().to_string()),
    })
}

fn words(text: &str, advice: Option<&'static str>) -> SourceError {
    SourceError::Words {
        text: text.to_owned(),
        advice,
    }
}

fn place(path: &Path) -> Option<Place> {
    let kind = path.metadata().ok()?.file_type();
    let path = path.to_owned();
    Some(if kind.is_dir() {
        Place::Folder(path)
    } else if kind.is_file() {
        Place::File(path)
    } else {
        Place::Pipe(path)
    })
}

/// All that a glob matches, sorted; what lies in a folder that matches comes with the folder.
fn matches(glob: &str) -> Result<Vec<Place>, SourceError> {
    let matcher = compile(glob)?;
    let base = literal_base(glob);
    let mut places = Vec::new();
    let mut walk = WalkDir::new(base)
        .follow_links(true)
        .sort_by_file_name()
        .into_iter();
    while let Some(entry) = walk.next() {
        // A folder that cannot be read, or a base that does not exist, matches nothing.
        let Ok(entry) = entry else { continue };
        // Like a shell: wildcards do not match hidden files.
        if entry.depth() > 0 && entry.file_name().to_string_lossy().starts_with('.') {
            if entry.file_type().is_dir() {
                walk.skip_current_dir();
            }
            continue;
        }
        let path = entry.path();
        let path = if base == Path::new(".") && !glob.starts_with('.') {
            path.strip_prefix(".").unwrap_or(path)
        } else {
            path
        };
        if !matcher.is_match(path) {
            continue;
        }
        if entry.file_type().is_dir() {
            walk.skip_current_dir();
        }
        places.extend(place(path));
    }
    if places.is_empty() {
        return Err(SourceError::NoMatch {
            glob: glob.to_owned(),
        });
    }
    Ok(places)
}

fn compile(glob: &str) -> Result<GlobMatcher, SourceError> {
    let glob_without_slash = glob.trim_end_matches('/');
    match GlobBuilder::new(glob_without_slash)
        .literal_separator(true)
        .build()
    {
        Ok(compiled) => Ok(compiled.compile_matcher()),
        Err(error) => Err(SourceError::BadGlob {
            glob: glob.to_owned(),
            reason: error.kind().to_string(),
        }),
    }
}

/// The folders before the first wildcard.
fn literal_base(glob: &str) -> &Path {
    let wildcard = glob.find(['*', '?', '[', '{']).unwrap_or(glob.len());
    match glob[..wildcard].rfind('/') {
        Some(0) => Path::new("/"),
        Some(slash) => Path::new(&glob[..slash]),
        None => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(text: &str) -> String {
        match Source::parse(text).map(|source| source.kind) {
            Ok(Kind::Stdin) => "stdin".to_owned(),
            Ok(Kind::S3 { bucket, prefix }) => format!("bucket {bucket} prefix {prefix}"),
            Ok(Kind::Paths(places)) => places
                .iter()
                .map(|place| match place {
                    Place::File(path) => format!("file {}", path.display()),
                    Place::Pipe(path) => format!("pipe {}", path.display()),
                    Place::Folder(path) => format!("folder {}", path.display()),
                })
                .collect::<Vec<_>>()
                .join(", "),
            Err(error) => format!("{error} / {}", error.hint().unwrap_or_default()),
        }
    }

    fn check(text: &str, expected: &str) {
        assert_eq!(outcome(text), expected, "{text}");
    }

    #[test]
    fn words_of_a_source() {
        check("-", "stdin");
        check("s3://logs", "bucket logs prefix ");
        check("s3://logs/", "bucket logs prefix ");
        check("s3://logs/AWSLogs/12/", "bucket logs prefix AWSLogs/12/");
        check("src", "folder src");
        check("Cargo.toml", "file Cargo.toml");
        check("/dev/null", "pipe /dev/null");
    }

    #[test]
    fn wrong_words_say_what_would_be_right() {
        let expected = "expected a file, a folder, a glob, `s3://bucket/prefix` or `-`, got";
        check("", &format!("{expected} `` / "));
        check(
            "s3://",
            &format!("{expected} `s3://` / name the bucket: `s3://bucket/prefix`"),
        );
        check(
            "s3:///x",
            &format!("{expected} `s3:///x` / name the bucket: `s3://bucket/prefix`"),
        );
        check(
            "s3://b//x",
            &format!("{expected} `s3://b//x` / write single slashes"),
        );
        check(
            "sqs://queue",
            &format!("{expected} `sqs://queue` / queues are for `tidegate watch`"),
        );
        check("https://x/y", &format!("{expected} `https://x/y` / "));
        assert!(outcome("s3://b/*/x").contains("globs are for local paths"));
        check(
            "src/nothing/there",
            "no such file or folder: `src/nothing/there` / `src` exists",
        );
        check("nothing", "no such file or folder: `nothing` / ");
        check("src/*.nothing", "nothing matches `src/*.nothing` / ");
        assert!(
            outcome("src/[").starts_with("expected a glob in `src/[`"),
            "{}",
            outcome("src/[")
        );
    }

    #[test]
    fn globs_match_like_a_shell() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        for file in [
            "a/one.log",
            "a/two.txt",
            "a/.hidden.log",
            "b/three.log",
            "four.log",
            "[x].log",
        ] {
            std::fs::create_dir_all(root.join(file).parent().expect("a parent")).expect("folders");
            std::fs::write(root.join(file), "").expect("a file");
        }
        let check = |glob: &str, expected: &str| {
            let got = outcome(&format!("{}/{glob}", root.display()))
                .replace(&format!("{}/", root.display()), "");
            assert_eq!(got, expected, "{glob}");
        };
        check("*/*.log", "file a/one.log, file b/three.log");
        check("*", "file [x].log, folder a, folder b, file four.log");
        check(
            "**/*.log",
            "file [x].log, file a/one.log, file b/three.log, file four.log",
        );
        check("{a,b}/", "folder a, folder b");
        check("a/t?o.txt", "file a/two.txt");
        // A path that exists is that path.
        check("[x].log", "file [x].log");
    }
}

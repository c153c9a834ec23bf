//! IPv6 addresses as logs write them: groups of hex digits, and at most one `::`. What is written otherwise (a dotted
//! quad at the end) or is no address at all is for the standard library to tell.

/// The 128 bits of an address; none if it is written in a way that logs do not use.
pub(crate) fn parse(text: &[u8]) -> Option<u128> {
    let (mut bits, mut count, mut gap) = (0u128, 0, None);
    let mut rest = text;
    if let Some(behind) = text.strip_prefix(b"::") {
        (gap, rest) = (Some(0), behind);
    }
    while !rest.is_empty() {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_hexdigit());
        let (mut group, mut len) = (0, 0);
        for digit in digits {
            group = group << 4 | hex(*digit);
            len += 1;
        }
        if len == 0 || len > 4 || count == 8 {
            return None;
        }
        (bits, count) = (bits << 16 | group, count + 1);
        rest = match &rest[len..] {
            [] => &[],
            [b':', b':', behind @ ..] if gap.is_none() => {
                gap = Some(count);
                behind
            }
            [b':', behind @ ..] if !behind.is_empty() => behind,
            _ => return None,
        };
    }
    let Some(before) = gap else {
        return (count == 8).then_some(bits);
    };
    // A gap stands for one group at least.
    if count == 8 {
        return None;
    }
    let behind = 16 * (count - before);
    let low = bits & !(u128::MAX << behind);
    let high = (bits >> behind).checked_shl(128 - 16 * before).unwrap_or(0);
    Some(high | low)
}

fn hex(digit: u8) -> u128 {
    u128::from(digit & 0xf) + if digit > b'9' { 9 } else { 0 }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use proptest::prelude::*;

    use super::*;

    fn expected(text: &str) -> Option<u128> {
        text.parse::<Ipv6Addr>().ok().map(u128::from)
    }

    #[test]
    fn texts_at_the_edges() {
        for text in [
            "::",
            ":",
            ":::",
            "::1",
            "1::",
            "1:::",
            "1::2::3",
            ":1::",
            "1:2:3:4:5:6:7:8",
            "1:2:3:4:5:6:7:",
            "1:2:3:4:5:6:7::",
            "1:2:3:4:5:6:7:8::",
            "::1:2:3:4:5:6:7:8",
            "::2:3:4:5:6:7:8",
            "1:2:3:4:5:6:7:8:9",
            "2001:DB8::fFfF",
            "12345::",
            "00001::",
            "g::",
            "1",
            "",
            "-",
            "2001:db8:bad:9::77a1",
        ] {
            assert_eq!(parse(text.as_bytes()), expected(text), "{text:?}");
        }
        assert_eq!(parse(b"::ffff:10.0.0.1"), None);
    }

    proptest! {
        #[test]
        fn any_address_is_read_as_it_is_written(bits: u128, zeros in 0u32..128, at in 0u32..128) {
            let address = Ipv6Addr::from(bits & !((u128::MAX >> zeros) << at.min(zeros)));
            let text = address.to_string();
            if !text.contains('.') {
                prop_assert_eq!(parse(text.as_bytes()), Some(u128::from(address)), "{}", text);
            }
        }

        #[test]
        fn nearly_right_texts_are_judged_alike(text in "[0-9a-fA-F:]{1,40}|([0-9a-f]{0,5}:){1,9}[0-9a-f]{0,4}|([0-9a-f]{1,4}:){1,7}:([0-9a-f]{1,4}:){0,6}[0-9a-f]{1,4}") {
            prop_assert_eq!(parse(text.as_bytes()), expected(&text), "{}", text);
        }
    }
}

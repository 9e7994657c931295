//! The order in which an id tries ports.
//!
//! It depends on the id and on nothing else, so that machines with other pools agree wherever they can:
//! each takes the first port of the order that its pool has. It must never change, or ids would
//! move to other ports with a new version of the crate.

use crate::id::fnv1a;

/// All ports, each once, in the order that is `id`'s.
///
/// With `h` the 64-bit FNV-1a hash of the id's bytes, finished with `MurmurHash3`'s `fmix64`: start at the
/// number of `h`'s bits 0 to 15, step by the number of its bits 16 to 31 with the lowest bit set, modulo
/// 65,536. An odd step comes by every number before it comes by one again. Zero is left out.
pub(crate) fn walk(id: &str) -> impl Iterator<Item = u16> + use<> {
    let hash = fmix64(fnv1a(id.as_bytes()));
    let [start, step] = [hash, hash >> 16].map(|bits| (bits & 0xffff) as u16);
    let step = step | 1;
    (0..=u16::MAX)
        .map(move |i| start.wrapping_add(i.wrapping_mul(step)))
        .filter(|&port| port != 0)
}

/// Spreads every bit over all: alone, FNV-1a leaves ids that end alike near each other.
fn fmix64(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::PortSet;
    use crate::ports::pool::good_of;

    /// If this fails, every user's ports change: mend the code, not the numbers.
    #[test]
    fn ids_keep_their_ports_from_version_to_version() {
        let pool = good_of(&(&PortSet::unassigned() - &PortSet::from(32768..=60999)));
        for (id, port) in [
            ("api", 15571),
            ("admin", 10925),
            ("db", 28340),
            ("example.com/apache", 25778),
            ("my_crate::tests::login::port", 29838),
            ("é", 30267),
        ] {
            assert_eq!(
                walk(id).find(|&port| pool.contains(port)),
                Some(port),
                "{id:?}"
            );
        }
    }

    #[test]
    fn the_hash_is_the_published_one() {
        // From the reference implementation; FNV-1a has a test of its own.
        assert_eq!(fmix64(0), 0);
        assert_eq!(fmix64(1), 0xb456_bcfc_34c2_cb2c);
    }

    #[test]
    fn every_port_comes_once() {
        for id in ["api", "", "ü"] {
            let mut ports: Vec<u16> = walk(id).collect();
            assert_eq!(ports.len(), 65_535);
            ports.sort_unstable();
            assert!(ports.into_iter().eq(1..=65_535), "{id:?}");
        }
    }

    #[test]
    fn ids_that_look_alike_spread_over_the_pool() {
        let pool = good_of(&PortSet::unassigned());
        let firsts: PortSet = (0..1000)
            .filter_map(|i| walk(&format!("test-{i}")).find(|&port| pool.contains(port)))
            .collect();
        // Of 1,000 random draws from some 30,000 ports about 985 differ.
        assert!(firsts.len() > 950, "{}", firsts.len());
    }
}

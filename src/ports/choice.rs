//! The order in which an id tries ports.
//!
//! It depends on the id and on nothing else, so that machines with other pools agree wherever they can:
//! each takes the first port of the order that its pool has. It must never change, or ids would
//! move to other ports with a new version of the crate.

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

fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Spreads every bit over all: alone, FNV-1a leaves ids that end alike near each other.
fn fmix64(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

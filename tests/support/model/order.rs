//! The order in which an id tries ports, as it is published.

/// When the port's turn is in the order that is the id's, as it is published: with the 64-bit FNV-1a hash of the id,
/// finished with `MurmurHash3`'s `fmix64`, from the number of its bits 0 to 15 on, in steps of that of its bits 16 to 31
/// with the lowest bit set.
pub fn turn(key: &str, port: u16) -> u16 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in key.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    for factor in [0xff51_afd7_ed55_8ccd_u64, 0xc4ce_b9fe_1a85_ec53] {
        hash = (hash ^ (hash >> 33)).wrapping_mul(factor);
    }
    hash ^= hash >> 33;
    let [start, step] = [hash, hash >> 16].map(|bits| u16::try_from(bits & 0xffff).unwrap());
    let step = step | 1;
    // Newton's way to one by an odd number: each round doubles the bits that are right.
    let by_step = (0..4).fold(step, |inverse, _| {
        let wrong = step.wrapping_mul(inverse);
        inverse.wrapping_mul(2_u16.wrapping_sub(wrong))
    });
    port.wrapping_sub(start).wrapping_mul(by_step)
}

//! Before `main`: the one function of this crate that runs there.

// It is declared by unsafe means.
#![cfg_attr(unix, allow(unsafe_code))]

#[cfg(unix)]
ctor::declarative::ctor! {
    // SAFETY: it reads and changes the environment, looks into `/proc` and at descriptors, fills a list, and as a guardian
    // or keeper starts threads, waits for processes and ends them, for all of which Rust's standard library is ready before `main`; it does not panic.
    #[ctor(unsafe)]
    fn before_main() {
        crate::server::guard_if_asked();
        crate::shared::keep_if_asked();
        crate::handover::take_over();
    }
}
